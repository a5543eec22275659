package dev.puna.assembler;

/**
 * A method per instruction, in the operand order of Intel's manuals: the destination first. Made from {@code
 * instructions.txt} by {@code InstructionsSource} in the tests; what an {@link Operand} may be is written there, and
 * checked when the instruction is added.
 */
@SuppressWarnings({"MissingJavadoc", "checkstyle:MethodName"})
public abstract sealed class Instructions permits Assembler {
    Instructions() {}

    /** Adds an instruction. */
    public abstract void emit(String mnemonic, Operand... operands);

    public void mov(Operand a, Operand b) {
        emit("mov", a, b);
    }

    public void mov(Operand a, long immediate) {
        emit("mov", a, new Immediate(immediate));
    }

    public void movzx(Gp a, Operand b) {
        emit("movzx", a, b);
    }

    public void movsx(Gp a, Operand b) {
        emit("movsx", a, b);
    }

    public void movsxd(Gp a, Operand b) {
        emit("movsxd", a, b);
    }

    public void lea(Gp a, Memory b) {
        emit("lea", a, b);
    }

    public void add(Operand a, long immediate) {
        emit("add", a, new Immediate(immediate));
    }

    public void add(Operand a, Operand b) {
        emit("add", a, b);
    }

    public void or(Operand a, long immediate) {
        emit("or", a, new Immediate(immediate));
    }

    public void or(Operand a, Operand b) {
        emit("or", a, b);
    }

    public void adc(Operand a, long immediate) {
        emit("adc", a, new Immediate(immediate));
    }

    public void adc(Operand a, Operand b) {
        emit("adc", a, b);
    }

    public void sbb(Operand a, long immediate) {
        emit("sbb", a, new Immediate(immediate));
    }

    public void sbb(Operand a, Operand b) {
        emit("sbb", a, b);
    }

    public void and(Operand a, long immediate) {
        emit("and", a, new Immediate(immediate));
    }

    public void and(Operand a, Operand b) {
        emit("and", a, b);
    }

    public void sub(Operand a, long immediate) {
        emit("sub", a, new Immediate(immediate));
    }

    public void sub(Operand a, Operand b) {
        emit("sub", a, b);
    }

    public void xor(Operand a, long immediate) {
        emit("xor", a, new Immediate(immediate));
    }

    public void xor(Operand a, Operand b) {
        emit("xor", a, b);
    }

    public void cmp(Operand a, long immediate) {
        emit("cmp", a, new Immediate(immediate));
    }

    public void cmp(Operand a, Operand b) {
        emit("cmp", a, b);
    }

    public void test(Operand a, Gp b) {
        emit("test", a, b);
    }

    public void test(Operand a, long immediate) {
        emit("test", a, new Immediate(immediate));
    }

    public void imul(Gp a, Operand b) {
        emit("imul", a, b);
    }

    public void imul(Gp a, Operand b, long immediate) {
        emit("imul", a, b, new Immediate(immediate));
    }

    public void inc(Operand a) {
        emit("inc", a);
    }

    public void dec(Operand a) {
        emit("dec", a);
    }

    public void not(Operand a) {
        emit("not", a);
    }

    public void neg(Operand a) {
        emit("neg", a);
    }

    public void mul(Operand a) {
        emit("mul", a);
    }

    public void div(Operand a) {
        emit("div", a);
    }

    public void idiv(Operand a) {
        emit("idiv", a);
    }

    public void cdq() {
        emit("cdq");
    }

    public void cqo() {
        emit("cqo");
    }

    public void shl(Operand a, int immediate) {
        emit("shl", a, new Immediate(immediate));
    }

    public void shl(Operand a, Gp b) {
        emit("shl", a, b);
    }

    public void shr(Operand a, int immediate) {
        emit("shr", a, new Immediate(immediate));
    }

    public void shr(Operand a, Gp b) {
        emit("shr", a, b);
    }

    public void sar(Operand a, int immediate) {
        emit("sar", a, new Immediate(immediate));
    }

    public void sar(Operand a, Gp b) {
        emit("sar", a, b);
    }

    public void rol(Operand a, int immediate) {
        emit("rol", a, new Immediate(immediate));
    }

    public void rol(Operand a, Gp b) {
        emit("rol", a, b);
    }

    public void ror(Operand a, int immediate) {
        emit("ror", a, new Immediate(immediate));
    }

    public void ror(Operand a, Gp b) {
        emit("ror", a, b);
    }

    public void push(Gp a) {
        emit("push", a);
    }

    public void push(int immediate) {
        emit("push", new Immediate(immediate));
    }

    public void pop(Gp a) {
        emit("pop", a);
    }

    public void call(Gp a) {
        emit("call", a);
    }

    public void jmp(Gp a) {
        emit("jmp", a);
    }

    public void ret() {
        emit("ret");
    }

    public void popcnt(Gp a, Operand b) {
        emit("popcnt", a, b);
    }

    public void lzcnt(Gp a, Operand b) {
        emit("lzcnt", a, b);
    }

    public void tzcnt(Gp a, Operand b) {
        emit("tzcnt", a, b);
    }

    public void bswap(Gp a) {
        emit("bswap", a);
    }

    public void cmove(Gp a, Operand b) {
        emit("cmove", a, b);
    }

    public void cmovne(Gp a, Operand b) {
        emit("cmovne", a, b);
    }

    public void cmovl(Gp a, Operand b) {
        emit("cmovl", a, b);
    }

    public void cmovge(Gp a, Operand b) {
        emit("cmovge", a, b);
    }

    public void cmovle(Gp a, Operand b) {
        emit("cmovle", a, b);
    }

    public void cmovg(Gp a, Operand b) {
        emit("cmovg", a, b);
    }

    public void cmovb(Gp a, Operand b) {
        emit("cmovb", a, b);
    }

    public void cmovae(Gp a, Operand b) {
        emit("cmovae", a, b);
    }

    public void cmovbe(Gp a, Operand b) {
        emit("cmovbe", a, b);
    }

    public void cmova(Gp a, Operand b) {
        emit("cmova", a, b);
    }

    public void cmovs(Gp a, Operand b) {
        emit("cmovs", a, b);
    }

    public void cmovns(Gp a, Operand b) {
        emit("cmovns", a, b);
    }

    public void sete(Operand a) {
        emit("sete", a);
    }

    public void setne(Operand a) {
        emit("setne", a);
    }

    public void setl(Operand a) {
        emit("setl", a);
    }

    public void setge(Operand a) {
        emit("setge", a);
    }

    public void setle(Operand a) {
        emit("setle", a);
    }

    public void setg(Operand a) {
        emit("setg", a);
    }

    public void setb(Operand a) {
        emit("setb", a);
    }

    public void setae(Operand a) {
        emit("setae", a);
    }

    public void setbe(Operand a) {
        emit("setbe", a);
    }

    public void seta(Operand a) {
        emit("seta", a);
    }

    public void sets(Operand a) {
        emit("sets", a);
    }

    public void setns(Operand a) {
        emit("setns", a);
    }

    public void prefetchnta(Memory a) {
        emit("prefetchnta", a);
    }

    public void prefetcht0(Memory a) {
        emit("prefetcht0", a);
    }

    public void prefetcht1(Memory a) {
        emit("prefetcht1", a);
    }

    public void prefetcht2(Memory a) {
        emit("prefetcht2", a);
    }

    public void prefetchw(Memory a) {
        emit("prefetchw", a);
    }

    public void rdtsc() {
        emit("rdtsc");
    }

    public void rdtscp() {
        emit("rdtscp");
    }

    public void cpuid() {
        emit("cpuid");
    }

    public void xgetbv() {
        emit("xgetbv");
    }

    public void lfence() {
        emit("lfence");
    }

    public void mfence() {
        emit("mfence");
    }

    public void sfence() {
        emit("sfence");
    }

    public void pause() {
        emit("pause");
    }

    public void nop() {
        emit("nop");
    }

    public void ud2() {
        emit("ud2");
    }

    public void int3() {
        emit("int3");
    }

    public void endbr64() {
        emit("endbr64");
    }

    public void andn(Gp a, Gp b, Operand c) {
        emit("andn", a, b, c);
    }

    public void bzhi(Gp a, Operand b, Gp c) {
        emit("bzhi", a, b, c);
    }

    public void shlx(Gp a, Operand b, Gp c) {
        emit("shlx", a, b, c);
    }

    public void shrx(Gp a, Operand b, Gp c) {
        emit("shrx", a, b, c);
    }

    public void sarx(Gp a, Operand b, Gp c) {
        emit("sarx", a, b, c);
    }

    public void pext(Gp a, Gp b, Operand c) {
        emit("pext", a, b, c);
    }

    public void pdep(Gp a, Gp b, Operand c) {
        emit("pdep", a, b, c);
    }

    public void vzeroupper() {
        emit("vzeroupper");
    }

    public void vzeroall() {
        emit("vzeroall");
    }

    public void vmovups(Operand a, Operand b) {
        emit("vmovups", a, b);
    }

    public void vmovaps(Operand a, Operand b) {
        emit("vmovaps", a, b);
    }

    public void vmovupd(Operand a, Operand b) {
        emit("vmovupd", a, b);
    }

    public void vmovapd(Operand a, Operand b) {
        emit("vmovapd", a, b);
    }

    public void vmovdqa(Operand a, Operand b) {
        emit("vmovdqa", a, b);
    }

    public void vmovdqu(Operand a, Operand b) {
        emit("vmovdqu", a, b);
    }

    public void vmovdqa32(Operand a, Operand b) {
        emit("vmovdqa32", a, b);
    }

    public void vmovdqu32(Operand a, Operand b) {
        emit("vmovdqu32", a, b);
    }

    public void vmovdqa64(Operand a, Operand b) {
        emit("vmovdqa64", a, b);
    }

    public void vmovdqu64(Operand a, Operand b) {
        emit("vmovdqu64", a, b);
    }

    public void vmovdqu8(Operand a, Operand b) {
        emit("vmovdqu8", a, b);
    }

    public void vmovdqu16(Operand a, Operand b) {
        emit("vmovdqu16", a, b);
    }

    public void vmovntps(Memory a, Vec b) {
        emit("vmovntps", a, b);
    }

    public void vmovntdq(Memory a, Vec b) {
        emit("vmovntdq", a, b);
    }

    public void vmovntdqa(Vec a, Memory b) {
        emit("vmovntdqa", a, b);
    }

    public void vmovss(Operand a, Operand b) {
        emit("vmovss", a, b);
    }

    public void vmovss(Operand a, Vec b, Vec c) {
        emit("vmovss", a, b, c);
    }

    public void vmovsd(Operand a, Operand b) {
        emit("vmovsd", a, b);
    }

    public void vmovsd(Operand a, Vec b, Vec c) {
        emit("vmovsd", a, b, c);
    }

    public void vmovd(Operand a, Operand b) {
        emit("vmovd", a, b);
    }

    public void vmovq(Operand a, Operand b) {
        emit("vmovq", a, b);
    }

    public void vmovw(Operand a, Operand b) {
        emit("vmovw", a, b);
    }

    public void vmovhlps(Vec a, Vec b, Vec c) {
        emit("vmovhlps", a, b, c);
    }

    public void vmovlhps(Vec a, Vec b, Vec c) {
        emit("vmovlhps", a, b, c);
    }

    public void vmovlps(Vec a, Vec b, Memory c) {
        emit("vmovlps", a, b, c);
    }

    public void vmovlps(Memory a, Vec b) {
        emit("vmovlps", a, b);
    }

    public void vmovhps(Vec a, Vec b, Memory c) {
        emit("vmovhps", a, b, c);
    }

    public void vmovhps(Memory a, Vec b) {
        emit("vmovhps", a, b);
    }

    public void vmovshdup(Operand a, Operand b) {
        emit("vmovshdup", a, b);
    }

    public void vmovsldup(Operand a, Operand b) {
        emit("vmovsldup", a, b);
    }

    public void vmovmskps(Gp a, Vec b) {
        emit("vmovmskps", a, b);
    }

    public void vpmovmskb(Gp a, Vec b) {
        emit("vpmovmskb", a, b);
    }

    public void vmaskmovps(Operand a, Vec b, Operand c) {
        emit("vmaskmovps", a, b, c);
    }

    public void vpmaskmovd(Operand a, Vec b, Operand c) {
        emit("vpmaskmovd", a, b, c);
    }

    public void vbroadcastss(Operand a, Operand b) {
        emit("vbroadcastss", a, b);
    }

    public void vbroadcastsd(Operand a, Operand b) {
        emit("vbroadcastsd", a, b);
    }

    public void vbroadcastf128(Vec a, Memory b) {
        emit("vbroadcastf128", a, b);
    }

    public void vbroadcasti128(Vec a, Memory b) {
        emit("vbroadcasti128", a, b);
    }

    public void vbroadcastf32x2(Operand a, Operand b) {
        emit("vbroadcastf32x2", a, b);
    }

    public void vbroadcasti32x2(Operand a, Operand b) {
        emit("vbroadcasti32x2", a, b);
    }

    public void vbroadcastf32x4(Operand a, Memory b) {
        emit("vbroadcastf32x4", a, b);
    }

    public void vbroadcasti32x4(Operand a, Memory b) {
        emit("vbroadcasti32x4", a, b);
    }

    public void vbroadcastf64x2(Operand a, Memory b) {
        emit("vbroadcastf64x2", a, b);
    }

    public void vbroadcasti64x2(Operand a, Memory b) {
        emit("vbroadcasti64x2", a, b);
    }

    public void vbroadcastf32x8(Operand a, Memory b) {
        emit("vbroadcastf32x8", a, b);
    }

    public void vbroadcasti32x8(Operand a, Memory b) {
        emit("vbroadcasti32x8", a, b);
    }

    public void vbroadcastf64x4(Operand a, Memory b) {
        emit("vbroadcastf64x4", a, b);
    }

    public void vbroadcasti64x4(Operand a, Memory b) {
        emit("vbroadcasti64x4", a, b);
    }

    public void vpbroadcastb(Operand a, Operand b) {
        emit("vpbroadcastb", a, b);
    }

    public void vpbroadcastw(Operand a, Operand b) {
        emit("vpbroadcastw", a, b);
    }

    public void vpbroadcastd(Operand a, Operand b) {
        emit("vpbroadcastd", a, b);
    }

    public void vpbroadcastq(Operand a, Operand b) {
        emit("vpbroadcastq", a, b);
    }

    public void vinsertf128(Vec a, Vec b, Operand c, int immediate) {
        emit("vinsertf128", a, b, c, new Immediate(immediate));
    }

    public void vinserti128(Vec a, Vec b, Operand c, int immediate) {
        emit("vinserti128", a, b, c, new Immediate(immediate));
    }

    public void vextractf128(Operand a, Vec b, int immediate) {
        emit("vextractf128", a, b, new Immediate(immediate));
    }

    public void vextracti128(Operand a, Vec b, int immediate) {
        emit("vextracti128", a, b, new Immediate(immediate));
    }

    public void vinsertf32x4(Operand a, Vec b, Operand c, int immediate) {
        emit("vinsertf32x4", a, b, c, new Immediate(immediate));
    }

    public void vinserti32x4(Operand a, Vec b, Operand c, int immediate) {
        emit("vinserti32x4", a, b, c, new Immediate(immediate));
    }

    public void vinsertf64x2(Operand a, Vec b, Operand c, int immediate) {
        emit("vinsertf64x2", a, b, c, new Immediate(immediate));
    }

    public void vinserti64x2(Operand a, Vec b, Operand c, int immediate) {
        emit("vinserti64x2", a, b, c, new Immediate(immediate));
    }

    public void vinsertf32x8(Operand a, Vec b, Operand c, int immediate) {
        emit("vinsertf32x8", a, b, c, new Immediate(immediate));
    }

    public void vinserti32x8(Operand a, Vec b, Operand c, int immediate) {
        emit("vinserti32x8", a, b, c, new Immediate(immediate));
    }

    public void vinsertf64x4(Operand a, Vec b, Operand c, int immediate) {
        emit("vinsertf64x4", a, b, c, new Immediate(immediate));
    }

    public void vinserti64x4(Operand a, Vec b, Operand c, int immediate) {
        emit("vinserti64x4", a, b, c, new Immediate(immediate));
    }

    public void vextractf32x4(Operand a, Vec b, int immediate) {
        emit("vextractf32x4", a, b, new Immediate(immediate));
    }

    public void vextracti32x4(Operand a, Vec b, int immediate) {
        emit("vextracti32x4", a, b, new Immediate(immediate));
    }

    public void vextractf64x2(Operand a, Vec b, int immediate) {
        emit("vextractf64x2", a, b, new Immediate(immediate));
    }

    public void vextracti64x2(Operand a, Vec b, int immediate) {
        emit("vextracti64x2", a, b, new Immediate(immediate));
    }

    public void vextractf32x8(Operand a, Vec b, int immediate) {
        emit("vextractf32x8", a, b, new Immediate(immediate));
    }

    public void vextracti32x8(Operand a, Vec b, int immediate) {
        emit("vextracti32x8", a, b, new Immediate(immediate));
    }

    public void vextractf64x4(Operand a, Vec b, int immediate) {
        emit("vextractf64x4", a, b, new Immediate(immediate));
    }

    public void vextracti64x4(Operand a, Vec b, int immediate) {
        emit("vextracti64x4", a, b, new Immediate(immediate));
    }

    public void vpinsrb(Vec a, Vec b, Operand c, int immediate) {
        emit("vpinsrb", a, b, c, new Immediate(immediate));
    }

    public void vpinsrw(Vec a, Vec b, Operand c, int immediate) {
        emit("vpinsrw", a, b, c, new Immediate(immediate));
    }

    public void vpinsrd(Vec a, Vec b, Operand c, int immediate) {
        emit("vpinsrd", a, b, c, new Immediate(immediate));
    }

    public void vpinsrq(Vec a, Vec b, Operand c, int immediate) {
        emit("vpinsrq", a, b, c, new Immediate(immediate));
    }

    public void vpextrb(Operand a, Vec b, int immediate) {
        emit("vpextrb", a, b, new Immediate(immediate));
    }

    public void vpextrw(Operand a, Vec b, int immediate) {
        emit("vpextrw", a, b, new Immediate(immediate));
    }

    public void vpextrd(Operand a, Vec b, int immediate) {
        emit("vpextrd", a, b, new Immediate(immediate));
    }

    public void vpextrq(Operand a, Vec b, int immediate) {
        emit("vpextrq", a, b, new Immediate(immediate));
    }

    public void vinsertps(Vec a, Vec b, Operand c, int immediate) {
        emit("vinsertps", a, b, c, new Immediate(immediate));
    }

    public void vaddps(Operand a, Vec b, Operand c) {
        emit("vaddps", a, b, c);
    }

    public void vmulps(Operand a, Vec b, Operand c) {
        emit("vmulps", a, b, c);
    }

    public void vsubps(Operand a, Vec b, Operand c) {
        emit("vsubps", a, b, c);
    }

    public void vminps(Operand a, Vec b, Operand c) {
        emit("vminps", a, b, c);
    }

    public void vdivps(Operand a, Vec b, Operand c) {
        emit("vdivps", a, b, c);
    }

    public void vmaxps(Operand a, Vec b, Operand c) {
        emit("vmaxps", a, b, c);
    }

    public void vaddpd(Operand a, Vec b, Operand c) {
        emit("vaddpd", a, b, c);
    }

    public void vmulpd(Operand a, Vec b, Operand c) {
        emit("vmulpd", a, b, c);
    }

    public void vsubpd(Operand a, Vec b, Operand c) {
        emit("vsubpd", a, b, c);
    }

    public void vminpd(Operand a, Vec b, Operand c) {
        emit("vminpd", a, b, c);
    }

    public void vdivpd(Operand a, Vec b, Operand c) {
        emit("vdivpd", a, b, c);
    }

    public void vmaxpd(Operand a, Vec b, Operand c) {
        emit("vmaxpd", a, b, c);
    }

    public void vaddss(Operand a, Vec b, Operand c) {
        emit("vaddss", a, b, c);
    }

    public void vmulss(Operand a, Vec b, Operand c) {
        emit("vmulss", a, b, c);
    }

    public void vsubss(Operand a, Vec b, Operand c) {
        emit("vsubss", a, b, c);
    }

    public void vminss(Operand a, Vec b, Operand c) {
        emit("vminss", a, b, c);
    }

    public void vdivss(Operand a, Vec b, Operand c) {
        emit("vdivss", a, b, c);
    }

    public void vmaxss(Operand a, Vec b, Operand c) {
        emit("vmaxss", a, b, c);
    }

    public void vsqrtss(Operand a, Vec b, Operand c) {
        emit("vsqrtss", a, b, c);
    }

    public void vaddsd(Operand a, Vec b, Operand c) {
        emit("vaddsd", a, b, c);
    }

    public void vmulsd(Operand a, Vec b, Operand c) {
        emit("vmulsd", a, b, c);
    }

    public void vsubsd(Operand a, Vec b, Operand c) {
        emit("vsubsd", a, b, c);
    }

    public void vminsd(Operand a, Vec b, Operand c) {
        emit("vminsd", a, b, c);
    }

    public void vdivsd(Operand a, Vec b, Operand c) {
        emit("vdivsd", a, b, c);
    }

    public void vmaxsd(Operand a, Vec b, Operand c) {
        emit("vmaxsd", a, b, c);
    }

    public void vsqrtsd(Operand a, Vec b, Operand c) {
        emit("vsqrtsd", a, b, c);
    }

    public void vsqrtps(Operand a, Operand b) {
        emit("vsqrtps", a, b);
    }

    public void vandps(Operand a, Vec b, Operand c) {
        emit("vandps", a, b, c);
    }

    public void vandnps(Operand a, Vec b, Operand c) {
        emit("vandnps", a, b, c);
    }

    public void vorps(Operand a, Vec b, Operand c) {
        emit("vorps", a, b, c);
    }

    public void vxorps(Operand a, Vec b, Operand c) {
        emit("vxorps", a, b, c);
    }

    public void vhaddps(Vec a, Vec b, Operand c) {
        emit("vhaddps", a, b, c);
    }

    public void vrcpps(Vec a, Operand b) {
        emit("vrcpps", a, b);
    }

    public void vrsqrtps(Vec a, Operand b) {
        emit("vrsqrtps", a, b);
    }

    public void vcomiss(Vec a, Operand b) {
        emit("vcomiss", a, b);
    }

    public void vucomiss(Vec a, Operand b) {
        emit("vucomiss", a, b);
    }

    public void vcmpps(Operand a, Vec b, Operand c, int immediate) {
        emit("vcmpps", a, b, c, new Immediate(immediate));
    }

    public void vfmadd132ps(Operand a, Vec b, Operand c) {
        emit("vfmadd132ps", a, b, c);
    }

    public void vfmadd213ps(Operand a, Vec b, Operand c) {
        emit("vfmadd213ps", a, b, c);
    }

    public void vfmadd231ps(Operand a, Vec b, Operand c) {
        emit("vfmadd231ps", a, b, c);
    }

    public void vfmsub132ps(Operand a, Vec b, Operand c) {
        emit("vfmsub132ps", a, b, c);
    }

    public void vfmsub213ps(Operand a, Vec b, Operand c) {
        emit("vfmsub213ps", a, b, c);
    }

    public void vfmsub231ps(Operand a, Vec b, Operand c) {
        emit("vfmsub231ps", a, b, c);
    }

    public void vfnmadd132ps(Operand a, Vec b, Operand c) {
        emit("vfnmadd132ps", a, b, c);
    }

    public void vfnmadd213ps(Operand a, Vec b, Operand c) {
        emit("vfnmadd213ps", a, b, c);
    }

    public void vfnmadd231ps(Operand a, Vec b, Operand c) {
        emit("vfnmadd231ps", a, b, c);
    }

    public void vfnmsub132ps(Operand a, Vec b, Operand c) {
        emit("vfnmsub132ps", a, b, c);
    }

    public void vfnmsub213ps(Operand a, Vec b, Operand c) {
        emit("vfnmsub213ps", a, b, c);
    }

    public void vfnmsub231ps(Operand a, Vec b, Operand c) {
        emit("vfnmsub231ps", a, b, c);
    }

    public void vfmadd132pd(Operand a, Vec b, Operand c) {
        emit("vfmadd132pd", a, b, c);
    }

    public void vfmadd213pd(Operand a, Vec b, Operand c) {
        emit("vfmadd213pd", a, b, c);
    }

    public void vfmadd231pd(Operand a, Vec b, Operand c) {
        emit("vfmadd231pd", a, b, c);
    }

    public void vfnmadd132pd(Operand a, Vec b, Operand c) {
        emit("vfnmadd132pd", a, b, c);
    }

    public void vfnmadd213pd(Operand a, Vec b, Operand c) {
        emit("vfnmadd213pd", a, b, c);
    }

    public void vfnmadd231pd(Operand a, Vec b, Operand c) {
        emit("vfnmadd231pd", a, b, c);
    }

    public void vfmadd132ss(Operand a, Vec b, Operand c) {
        emit("vfmadd132ss", a, b, c);
    }

    public void vfmadd213ss(Operand a, Vec b, Operand c) {
        emit("vfmadd213ss", a, b, c);
    }

    public void vfmadd231ss(Operand a, Vec b, Operand c) {
        emit("vfmadd231ss", a, b, c);
    }

    public void vfmsub132ss(Operand a, Vec b, Operand c) {
        emit("vfmsub132ss", a, b, c);
    }

    public void vfmsub213ss(Operand a, Vec b, Operand c) {
        emit("vfmsub213ss", a, b, c);
    }

    public void vfmsub231ss(Operand a, Vec b, Operand c) {
        emit("vfmsub231ss", a, b, c);
    }

    public void vfnmadd132ss(Operand a, Vec b, Operand c) {
        emit("vfnmadd132ss", a, b, c);
    }

    public void vfnmadd213ss(Operand a, Vec b, Operand c) {
        emit("vfnmadd213ss", a, b, c);
    }

    public void vfnmadd231ss(Operand a, Vec b, Operand c) {
        emit("vfnmadd231ss", a, b, c);
    }

    public void vfnmsub132ss(Operand a, Vec b, Operand c) {
        emit("vfnmsub132ss", a, b, c);
    }

    public void vfnmsub213ss(Operand a, Vec b, Operand c) {
        emit("vfnmsub213ss", a, b, c);
    }

    public void vfnmsub231ss(Operand a, Vec b, Operand c) {
        emit("vfnmsub231ss", a, b, c);
    }

    public void vroundps(Vec a, Operand b, int immediate) {
        emit("vroundps", a, b, new Immediate(immediate));
    }

    public void vroundss(Vec a, Vec b, Operand c, int immediate) {
        emit("vroundss", a, b, c, new Immediate(immediate));
    }

    public void vrndscaleps(Operand a, Operand b, int immediate) {
        emit("vrndscaleps", a, b, new Immediate(immediate));
    }

    public void vrndscaless(Operand a, Vec b, Operand c, int immediate) {
        emit("vrndscaless", a, b, c, new Immediate(immediate));
    }

    public void vscalefps(Operand a, Vec b, Operand c) {
        emit("vscalefps", a, b, c);
    }

    public void vscalefss(Operand a, Vec b, Operand c) {
        emit("vscalefss", a, b, c);
    }

    public void vgetexpps(Operand a, Operand b) {
        emit("vgetexpps", a, b);
    }

    public void vrcp14ps(Operand a, Operand b) {
        emit("vrcp14ps", a, b);
    }

    public void vrsqrt14ps(Operand a, Operand b) {
        emit("vrsqrt14ps", a, b);
    }

    public void vgetexpss(Operand a, Vec b, Operand c) {
        emit("vgetexpss", a, b, c);
    }

    public void vrcp14ss(Operand a, Vec b, Operand c) {
        emit("vrcp14ss", a, b, c);
    }

    public void vrsqrt14ss(Operand a, Vec b, Operand c) {
        emit("vrsqrt14ss", a, b, c);
    }

    public void vgetmantps(Operand a, Operand b, int immediate) {
        emit("vgetmantps", a, b, new Immediate(immediate));
    }

    public void vgetmantss(Operand a, Vec b, Operand c, int immediate) {
        emit("vgetmantss", a, b, c, new Immediate(immediate));
    }

    public void vreduceps(Operand a, Operand b, int immediate) {
        emit("vreduceps", a, b, new Immediate(immediate));
    }

    public void vreducess(Operand a, Vec b, Operand c, int immediate) {
        emit("vreducess", a, b, c, new Immediate(immediate));
    }

    public void vrangeps(Operand a, Vec b, Operand c, int immediate) {
        emit("vrangeps", a, b, c, new Immediate(immediate));
    }

    public void vrangess(Operand a, Vec b, Operand c, int immediate) {
        emit("vrangess", a, b, c, new Immediate(immediate));
    }

    public void vfpclassps(Operand a, Operand b, int immediate) {
        emit("vfpclassps", a, b, new Immediate(immediate));
    }

    public void vfpclassss(Operand a, Operand b, int immediate) {
        emit("vfpclassss", a, b, new Immediate(immediate));
    }

    public void vcvtdq2ps(Operand a, Operand b) {
        emit("vcvtdq2ps", a, b);
    }

    public void vcvtps2dq(Operand a, Operand b) {
        emit("vcvtps2dq", a, b);
    }

    public void vcvttps2dq(Operand a, Operand b) {
        emit("vcvttps2dq", a, b);
    }

    public void vcvtudq2ps(Operand a, Operand b) {
        emit("vcvtudq2ps", a, b);
    }

    public void vcvtps2udq(Operand a, Operand b) {
        emit("vcvtps2udq", a, b);
    }

    public void vcvttps2udq(Operand a, Operand b) {
        emit("vcvttps2udq", a, b);
    }

    public void vcvtph2ps(Operand a, Operand b) {
        emit("vcvtph2ps", a, b);
    }

    public void vcvtps2ph(Operand a, Vec b, int immediate) {
        emit("vcvtps2ph", a, b, new Immediate(immediate));
    }

    public void vcvtps2pd(Operand a, Operand b) {
        emit("vcvtps2pd", a, b);
    }

    public void vcvtpd2ps(Operand a, Operand b) {
        emit("vcvtpd2ps", a, b);
    }

    public void vcvtdq2pd(Operand a, Operand b) {
        emit("vcvtdq2pd", a, b);
    }

    public void vcvtsi2ss(Vec a, Vec b, Operand c) {
        emit("vcvtsi2ss", a, b, c);
    }

    public void vcvtss2si(Gp a, Operand b) {
        emit("vcvtss2si", a, b);
    }

    public void vcvttss2si(Gp a, Operand b) {
        emit("vcvttss2si", a, b);
    }

    public void vcvtss2sd(Operand a, Vec b, Operand c) {
        emit("vcvtss2sd", a, b, c);
    }

    public void vcvtsd2ss(Operand a, Vec b, Operand c) {
        emit("vcvtsd2ss", a, b, c);
    }

    public void vcvtneps2bf16(Operand a, Operand b) {
        emit("vcvtneps2bf16", a, b);
    }

    public void vcvtne2ps2bf16(Operand a, Vec b, Operand c) {
        emit("vcvtne2ps2bf16", a, b, c);
    }

    public void vdpbf16ps(Operand a, Vec b, Operand c) {
        emit("vdpbf16ps", a, b, c);
    }

    public void vcvtph2psx(Operand a, Operand b) {
        emit("vcvtph2psx", a, b);
    }

    public void vcvtps2phx(Operand a, Operand b) {
        emit("vcvtps2phx", a, b);
    }

    public void vcvtw2ph(Operand a, Operand b) {
        emit("vcvtw2ph", a, b);
    }

    public void vcvtuw2ph(Operand a, Operand b) {
        emit("vcvtuw2ph", a, b);
    }

    public void vcvtph2w(Operand a, Operand b) {
        emit("vcvtph2w", a, b);
    }

    public void vshufps(Operand a, Vec b, Operand c, int immediate) {
        emit("vshufps", a, b, c, new Immediate(immediate));
    }

    public void vunpcklps(Operand a, Vec b, Operand c) {
        emit("vunpcklps", a, b, c);
    }

    public void vunpckhps(Operand a, Vec b, Operand c) {
        emit("vunpckhps", a, b, c);
    }

    public void vunpcklpd(Operand a, Vec b, Operand c) {
        emit("vunpcklpd", a, b, c);
    }

    public void vunpckhpd(Operand a, Vec b, Operand c) {
        emit("vunpckhpd", a, b, c);
    }

    public void vpermilps(Operand a, Vec b, Operand c) {
        emit("vpermilps", a, b, c);
    }

    public void vpermilps(Operand a, Operand b, int immediate) {
        emit("vpermilps", a, b, new Immediate(immediate));
    }

    public void vperm2f128(Vec a, Vec b, Operand c, int immediate) {
        emit("vperm2f128", a, b, c, new Immediate(immediate));
    }

    public void vperm2i128(Vec a, Vec b, Operand c, int immediate) {
        emit("vperm2i128", a, b, c, new Immediate(immediate));
    }

    public void vpermq(Operand a, Operand b, int immediate) {
        emit("vpermq", a, b, new Immediate(immediate));
    }

    public void vpermq(Operand a, Vec b, Operand c) {
        emit("vpermq", a, b, c);
    }

    public void vpermpd(Operand a, Operand b, int immediate) {
        emit("vpermpd", a, b, new Immediate(immediate));
    }

    public void vpermpd(Operand a, Vec b, Operand c) {
        emit("vpermpd", a, b, c);
    }

    public void vpermd(Operand a, Vec b, Operand c) {
        emit("vpermd", a, b, c);
    }

    public void vpermps(Operand a, Vec b, Operand c) {
        emit("vpermps", a, b, c);
    }

    public void vpermb(Operand a, Vec b, Operand c) {
        emit("vpermb", a, b, c);
    }

    public void vpermw(Operand a, Vec b, Operand c) {
        emit("vpermw", a, b, c);
    }

    public void vpermi2b(Operand a, Vec b, Operand c) {
        emit("vpermi2b", a, b, c);
    }

    public void vpermt2b(Operand a, Vec b, Operand c) {
        emit("vpermt2b", a, b, c);
    }

    public void vpermi2w(Operand a, Vec b, Operand c) {
        emit("vpermi2w", a, b, c);
    }

    public void vpermt2w(Operand a, Vec b, Operand c) {
        emit("vpermt2w", a, b, c);
    }

    public void vpermi2d(Operand a, Vec b, Operand c) {
        emit("vpermi2d", a, b, c);
    }

    public void vpermt2d(Operand a, Vec b, Operand c) {
        emit("vpermt2d", a, b, c);
    }

    public void vpermi2ps(Operand a, Vec b, Operand c) {
        emit("vpermi2ps", a, b, c);
    }

    public void vpermt2ps(Operand a, Vec b, Operand c) {
        emit("vpermt2ps", a, b, c);
    }

    public void vpermi2q(Operand a, Vec b, Operand c) {
        emit("vpermi2q", a, b, c);
    }

    public void vpermt2q(Operand a, Vec b, Operand c) {
        emit("vpermt2q", a, b, c);
    }

    public void vpermi2pd(Operand a, Vec b, Operand c) {
        emit("vpermi2pd", a, b, c);
    }

    public void vpermt2pd(Operand a, Vec b, Operand c) {
        emit("vpermt2pd", a, b, c);
    }

    public void vpmultishiftqb(Operand a, Vec b, Operand c) {
        emit("vpmultishiftqb", a, b, c);
    }

    public void valignd(Operand a, Vec b, Operand c, int immediate) {
        emit("valignd", a, b, c, new Immediate(immediate));
    }

    public void valignq(Operand a, Vec b, Operand c, int immediate) {
        emit("valignq", a, b, c, new Immediate(immediate));
    }

    public void vpalignr(Operand a, Vec b, Operand c, int immediate) {
        emit("vpalignr", a, b, c, new Immediate(immediate));
    }

    public void vshuff32x4(Operand a, Vec b, Operand c, int immediate) {
        emit("vshuff32x4", a, b, c, new Immediate(immediate));
    }

    public void vshufi32x4(Operand a, Vec b, Operand c, int immediate) {
        emit("vshufi32x4", a, b, c, new Immediate(immediate));
    }

    public void vshuff64x2(Operand a, Vec b, Operand c, int immediate) {
        emit("vshuff64x2", a, b, c, new Immediate(immediate));
    }

    public void vshufi64x2(Operand a, Vec b, Operand c, int immediate) {
        emit("vshufi64x2", a, b, c, new Immediate(immediate));
    }

    public void vpshufb(Operand a, Vec b, Operand c) {
        emit("vpshufb", a, b, c);
    }

    public void vpshufd(Operand a, Operand b, int immediate) {
        emit("vpshufd", a, b, new Immediate(immediate));
    }

    public void vpshufhw(Operand a, Operand b, int immediate) {
        emit("vpshufhw", a, b, new Immediate(immediate));
    }

    public void vpshuflw(Operand a, Operand b, int immediate) {
        emit("vpshuflw", a, b, new Immediate(immediate));
    }

    public void vpunpcklbw(Operand a, Vec b, Operand c) {
        emit("vpunpcklbw", a, b, c);
    }

    public void vpunpcklwd(Operand a, Vec b, Operand c) {
        emit("vpunpcklwd", a, b, c);
    }

    public void vpunpckhbw(Operand a, Vec b, Operand c) {
        emit("vpunpckhbw", a, b, c);
    }

    public void vpunpckhwd(Operand a, Vec b, Operand c) {
        emit("vpunpckhwd", a, b, c);
    }

    public void vpunpckldq(Operand a, Vec b, Operand c) {
        emit("vpunpckldq", a, b, c);
    }

    public void vpunpckhdq(Operand a, Vec b, Operand c) {
        emit("vpunpckhdq", a, b, c);
    }

    public void vpunpcklqdq(Operand a, Vec b, Operand c) {
        emit("vpunpcklqdq", a, b, c);
    }

    public void vpunpckhqdq(Operand a, Vec b, Operand c) {
        emit("vpunpckhqdq", a, b, c);
    }

    public void vpacksswb(Operand a, Vec b, Operand c) {
        emit("vpacksswb", a, b, c);
    }

    public void vpackuswb(Operand a, Vec b, Operand c) {
        emit("vpackuswb", a, b, c);
    }

    public void vpackssdw(Operand a, Vec b, Operand c) {
        emit("vpackssdw", a, b, c);
    }

    public void vpackusdw(Operand a, Vec b, Operand c) {
        emit("vpackusdw", a, b, c);
    }

    public void vblendps(Vec a, Vec b, Operand c, int immediate) {
        emit("vblendps", a, b, c, new Immediate(immediate));
    }

    public void vpblendd(Vec a, Vec b, Operand c, int immediate) {
        emit("vpblendd", a, b, c, new Immediate(immediate));
    }

    public void vpblendw(Vec a, Vec b, Operand c, int immediate) {
        emit("vpblendw", a, b, c, new Immediate(immediate));
    }

    public void vblendvps(Vec a, Vec b, Operand c, Vec d) {
        emit("vblendvps", a, b, c, d);
    }

    public void vpblendvb(Vec a, Vec b, Operand c, Vec d) {
        emit("vpblendvb", a, b, c, d);
    }

    public void vpblendmb(Operand a, Vec b, Operand c) {
        emit("vpblendmb", a, b, c);
    }

    public void vpblendmw(Operand a, Vec b, Operand c) {
        emit("vpblendmw", a, b, c);
    }

    public void vpblendmd(Operand a, Vec b, Operand c) {
        emit("vpblendmd", a, b, c);
    }

    public void vblendmps(Operand a, Vec b, Operand c) {
        emit("vblendmps", a, b, c);
    }

    public void vpblendmq(Operand a, Vec b, Operand c) {
        emit("vpblendmq", a, b, c);
    }

    public void vblendmpd(Operand a, Vec b, Operand c) {
        emit("vblendmpd", a, b, c);
    }

    public void vgf2p8affineqb(Operand a, Vec b, Operand c, int immediate) {
        emit("vgf2p8affineqb", a, b, c, new Immediate(immediate));
    }

    public void vpmovsxbw(Operand a, Operand b) {
        emit("vpmovsxbw", a, b);
    }

    public void vpmovsxwd(Operand a, Operand b) {
        emit("vpmovsxwd", a, b);
    }

    public void vpmovsxdq(Operand a, Operand b) {
        emit("vpmovsxdq", a, b);
    }

    public void vpmovzxbw(Operand a, Operand b) {
        emit("vpmovzxbw", a, b);
    }

    public void vpmovzxwd(Operand a, Operand b) {
        emit("vpmovzxwd", a, b);
    }

    public void vpmovzxdq(Operand a, Operand b) {
        emit("vpmovzxdq", a, b);
    }

    public void vpmovsxbd(Operand a, Operand b) {
        emit("vpmovsxbd", a, b);
    }

    public void vpmovsxwq(Operand a, Operand b) {
        emit("vpmovsxwq", a, b);
    }

    public void vpmovzxbd(Operand a, Operand b) {
        emit("vpmovzxbd", a, b);
    }

    public void vpmovzxwq(Operand a, Operand b) {
        emit("vpmovzxwq", a, b);
    }

    public void vpmovsxbq(Operand a, Operand b) {
        emit("vpmovsxbq", a, b);
    }

    public void vpmovzxbq(Operand a, Operand b) {
        emit("vpmovzxbq", a, b);
    }

    public void vpmovwb(Operand a, Vec b) {
        emit("vpmovwb", a, b);
    }

    public void vpmovswb(Operand a, Vec b) {
        emit("vpmovswb", a, b);
    }

    public void vpmovuswb(Operand a, Vec b) {
        emit("vpmovuswb", a, b);
    }

    public void vpmovdb(Operand a, Vec b) {
        emit("vpmovdb", a, b);
    }

    public void vpmovsdb(Operand a, Vec b) {
        emit("vpmovsdb", a, b);
    }

    public void vpmovusdb(Operand a, Vec b) {
        emit("vpmovusdb", a, b);
    }

    public void vpmovdw(Operand a, Vec b) {
        emit("vpmovdw", a, b);
    }

    public void vpmovsdw(Operand a, Vec b) {
        emit("vpmovsdw", a, b);
    }

    public void vpmovusdw(Operand a, Vec b) {
        emit("vpmovusdw", a, b);
    }

    public void vpmovqb(Operand a, Vec b) {
        emit("vpmovqb", a, b);
    }

    public void vpmovqw(Operand a, Vec b) {
        emit("vpmovqw", a, b);
    }

    public void vpmovqd(Operand a, Vec b) {
        emit("vpmovqd", a, b);
    }

    public void vpaddb(Operand a, Vec b, Operand c) {
        emit("vpaddb", a, b, c);
    }

    public void vpaddw(Operand a, Vec b, Operand c) {
        emit("vpaddw", a, b, c);
    }

    public void vpsubb(Operand a, Vec b, Operand c) {
        emit("vpsubb", a, b, c);
    }

    public void vpsubw(Operand a, Vec b, Operand c) {
        emit("vpsubw", a, b, c);
    }

    public void vpaddsb(Operand a, Vec b, Operand c) {
        emit("vpaddsb", a, b, c);
    }

    public void vpaddsw(Operand a, Vec b, Operand c) {
        emit("vpaddsw", a, b, c);
    }

    public void vpaddusb(Operand a, Vec b, Operand c) {
        emit("vpaddusb", a, b, c);
    }

    public void vpaddusw(Operand a, Vec b, Operand c) {
        emit("vpaddusw", a, b, c);
    }

    public void vpsubsb(Operand a, Vec b, Operand c) {
        emit("vpsubsb", a, b, c);
    }

    public void vpsubsw(Operand a, Vec b, Operand c) {
        emit("vpsubsw", a, b, c);
    }

    public void vpsubusb(Operand a, Vec b, Operand c) {
        emit("vpsubusb", a, b, c);
    }

    public void vpsubusw(Operand a, Vec b, Operand c) {
        emit("vpsubusw", a, b, c);
    }

    public void vpmullw(Operand a, Vec b, Operand c) {
        emit("vpmullw", a, b, c);
    }

    public void vpmulhw(Operand a, Vec b, Operand c) {
        emit("vpmulhw", a, b, c);
    }

    public void vpmulhuw(Operand a, Vec b, Operand c) {
        emit("vpmulhuw", a, b, c);
    }

    public void vpmaddwd(Operand a, Vec b, Operand c) {
        emit("vpmaddwd", a, b, c);
    }

    public void vpminub(Operand a, Vec b, Operand c) {
        emit("vpminub", a, b, c);
    }

    public void vpmaxub(Operand a, Vec b, Operand c) {
        emit("vpmaxub", a, b, c);
    }

    public void vpminsw(Operand a, Vec b, Operand c) {
        emit("vpminsw", a, b, c);
    }

    public void vpmaxsw(Operand a, Vec b, Operand c) {
        emit("vpmaxsw", a, b, c);
    }

    public void vpavgb(Operand a, Vec b, Operand c) {
        emit("vpavgb", a, b, c);
    }

    public void vpavgw(Operand a, Vec b, Operand c) {
        emit("vpavgw", a, b, c);
    }

    public void vpmaddubsw(Operand a, Vec b, Operand c) {
        emit("vpmaddubsw", a, b, c);
    }

    public void vpmulhrsw(Operand a, Vec b, Operand c) {
        emit("vpmulhrsw", a, b, c);
    }

    public void vpminsb(Operand a, Vec b, Operand c) {
        emit("vpminsb", a, b, c);
    }

    public void vpmaxsb(Operand a, Vec b, Operand c) {
        emit("vpmaxsb", a, b, c);
    }

    public void vpminuw(Operand a, Vec b, Operand c) {
        emit("vpminuw", a, b, c);
    }

    public void vpmaxuw(Operand a, Vec b, Operand c) {
        emit("vpmaxuw", a, b, c);
    }

    public void vpsadbw(Vec a, Vec b, Operand c) {
        emit("vpsadbw", a, b, c);
    }

    public void vpaddd(Operand a, Vec b, Operand c) {
        emit("vpaddd", a, b, c);
    }

    public void vpsubd(Operand a, Vec b, Operand c) {
        emit("vpsubd", a, b, c);
    }

    public void vpaddq(Operand a, Vec b, Operand c) {
        emit("vpaddq", a, b, c);
    }

    public void vpsubq(Operand a, Vec b, Operand c) {
        emit("vpsubq", a, b, c);
    }

    public void vpmuludq(Operand a, Vec b, Operand c) {
        emit("vpmuludq", a, b, c);
    }

    public void vpmuldq(Operand a, Vec b, Operand c) {
        emit("vpmuldq", a, b, c);
    }

    public void vpmulld(Operand a, Vec b, Operand c) {
        emit("vpmulld", a, b, c);
    }

    public void vpminsd(Operand a, Vec b, Operand c) {
        emit("vpminsd", a, b, c);
    }

    public void vpmaxsd(Operand a, Vec b, Operand c) {
        emit("vpmaxsd", a, b, c);
    }

    public void vpminud(Operand a, Vec b, Operand c) {
        emit("vpminud", a, b, c);
    }

    public void vpmaxud(Operand a, Vec b, Operand c) {
        emit("vpmaxud", a, b, c);
    }

    public void vpmullq(Operand a, Vec b, Operand c) {
        emit("vpmullq", a, b, c);
    }

    public void vpand(Vec a, Vec b, Operand c) {
        emit("vpand", a, b, c);
    }

    public void vpandn(Vec a, Vec b, Operand c) {
        emit("vpandn", a, b, c);
    }

    public void vpor(Vec a, Vec b, Operand c) {
        emit("vpor", a, b, c);
    }

    public void vpxor(Vec a, Vec b, Operand c) {
        emit("vpxor", a, b, c);
    }

    public void vpandd(Operand a, Vec b, Operand c) {
        emit("vpandd", a, b, c);
    }

    public void vpandnd(Operand a, Vec b, Operand c) {
        emit("vpandnd", a, b, c);
    }

    public void vpord(Operand a, Vec b, Operand c) {
        emit("vpord", a, b, c);
    }

    public void vpxord(Operand a, Vec b, Operand c) {
        emit("vpxord", a, b, c);
    }

    public void vpandq(Operand a, Vec b, Operand c) {
        emit("vpandq", a, b, c);
    }

    public void vpandnq(Operand a, Vec b, Operand c) {
        emit("vpandnq", a, b, c);
    }

    public void vporq(Operand a, Vec b, Operand c) {
        emit("vporq", a, b, c);
    }

    public void vpxorq(Operand a, Vec b, Operand c) {
        emit("vpxorq", a, b, c);
    }

    public void vpternlogd(Operand a, Vec b, Operand c, int immediate) {
        emit("vpternlogd", a, b, c, new Immediate(immediate));
    }

    public void vpternlogq(Operand a, Vec b, Operand c, int immediate) {
        emit("vpternlogq", a, b, c, new Immediate(immediate));
    }

    public void vpabsb(Operand a, Operand b) {
        emit("vpabsb", a, b);
    }

    public void vpabsw(Operand a, Operand b) {
        emit("vpabsw", a, b);
    }

    public void vpabsd(Operand a, Operand b) {
        emit("vpabsd", a, b);
    }

    public void vpsignb(Vec a, Vec b, Operand c) {
        emit("vpsignb", a, b, c);
    }

    public void vpsignw(Vec a, Vec b, Operand c) {
        emit("vpsignw", a, b, c);
    }

    public void vpsignd(Vec a, Vec b, Operand c) {
        emit("vpsignd", a, b, c);
    }

    public void vphaddw(Vec a, Vec b, Operand c) {
        emit("vphaddw", a, b, c);
    }

    public void vphaddd(Vec a, Vec b, Operand c) {
        emit("vphaddd", a, b, c);
    }

    public void vpopcntb(Operand a, Operand b) {
        emit("vpopcntb", a, b);
    }

    public void vpopcntw(Operand a, Operand b) {
        emit("vpopcntw", a, b);
    }

    public void vpdpbusd(Operand a, Vec b, Operand c) {
        emit("vpdpbusd", a, b, c);
    }

    public void vpdpbusds(Operand a, Vec b, Operand c) {
        emit("vpdpbusds", a, b, c);
    }

    public void vpdpwssd(Operand a, Vec b, Operand c) {
        emit("vpdpwssd", a, b, c);
    }

    public void vpdpwssds(Operand a, Vec b, Operand c) {
        emit("vpdpwssds", a, b, c);
    }

    public void vexVpdpbusd(Vec a, Vec b, Operand c) {
        emit("{vex}vpdpbusd", a, b, c);
    }

    public void vexVpdpbusds(Vec a, Vec b, Operand c) {
        emit("{vex}vpdpbusds", a, b, c);
    }

    public void vexVpdpwssd(Vec a, Vec b, Operand c) {
        emit("{vex}vpdpwssd", a, b, c);
    }

    public void vexVpdpwssds(Vec a, Vec b, Operand c) {
        emit("{vex}vpdpwssds", a, b, c);
    }

    public void vpsllw(Operand a, Operand b, int immediate) {
        emit("vpsllw", a, b, new Immediate(immediate));
    }

    public void vpsllw(Operand a, Vec b, Operand c) {
        emit("vpsllw", a, b, c);
    }

    public void vpsrlw(Operand a, Operand b, int immediate) {
        emit("vpsrlw", a, b, new Immediate(immediate));
    }

    public void vpsrlw(Operand a, Vec b, Operand c) {
        emit("vpsrlw", a, b, c);
    }

    public void vpsraw(Operand a, Operand b, int immediate) {
        emit("vpsraw", a, b, new Immediate(immediate));
    }

    public void vpsraw(Operand a, Vec b, Operand c) {
        emit("vpsraw", a, b, c);
    }

    public void vpslld(Operand a, Operand b, int immediate) {
        emit("vpslld", a, b, new Immediate(immediate));
    }

    public void vpslld(Operand a, Vec b, Operand c) {
        emit("vpslld", a, b, c);
    }

    public void vpsrld(Operand a, Operand b, int immediate) {
        emit("vpsrld", a, b, new Immediate(immediate));
    }

    public void vpsrld(Operand a, Vec b, Operand c) {
        emit("vpsrld", a, b, c);
    }

    public void vpsrad(Operand a, Operand b, int immediate) {
        emit("vpsrad", a, b, new Immediate(immediate));
    }

    public void vpsrad(Operand a, Vec b, Operand c) {
        emit("vpsrad", a, b, c);
    }

    public void vprold(Operand a, Operand b, int immediate) {
        emit("vprold", a, b, new Immediate(immediate));
    }

    public void vprord(Operand a, Operand b, int immediate) {
        emit("vprord", a, b, new Immediate(immediate));
    }

    public void vpsllq(Operand a, Operand b, int immediate) {
        emit("vpsllq", a, b, new Immediate(immediate));
    }

    public void vpsllq(Operand a, Vec b, Operand c) {
        emit("vpsllq", a, b, c);
    }

    public void vpsrlq(Operand a, Operand b, int immediate) {
        emit("vpsrlq", a, b, new Immediate(immediate));
    }

    public void vpsrlq(Operand a, Vec b, Operand c) {
        emit("vpsrlq", a, b, c);
    }

    public void vpsraq(Operand a, Operand b, int immediate) {
        emit("vpsraq", a, b, new Immediate(immediate));
    }

    public void vpsraq(Operand a, Vec b, Operand c) {
        emit("vpsraq", a, b, c);
    }

    public void vpslldq(Vec a, Operand b, int immediate) {
        emit("vpslldq", a, b, new Immediate(immediate));
    }

    public void vpsrldq(Vec a, Operand b, int immediate) {
        emit("vpsrldq", a, b, new Immediate(immediate));
    }

    public void vpsllvd(Operand a, Vec b, Operand c) {
        emit("vpsllvd", a, b, c);
    }

    public void vpsrlvd(Operand a, Vec b, Operand c) {
        emit("vpsrlvd", a, b, c);
    }

    public void vpsravd(Operand a, Vec b, Operand c) {
        emit("vpsravd", a, b, c);
    }

    public void vpsllvq(Operand a, Vec b, Operand c) {
        emit("vpsllvq", a, b, c);
    }

    public void vpsrlvq(Operand a, Vec b, Operand c) {
        emit("vpsrlvq", a, b, c);
    }

    public void vpsravq(Operand a, Vec b, Operand c) {
        emit("vpsravq", a, b, c);
    }

    public void vpsllvw(Operand a, Vec b, Operand c) {
        emit("vpsllvw", a, b, c);
    }

    public void vpsrlvw(Operand a, Vec b, Operand c) {
        emit("vpsrlvw", a, b, c);
    }

    public void vpsravw(Operand a, Vec b, Operand c) {
        emit("vpsravw", a, b, c);
    }

    public void vprolvd(Operand a, Vec b, Operand c) {
        emit("vprolvd", a, b, c);
    }

    public void vprorvd(Operand a, Vec b, Operand c) {
        emit("vprorvd", a, b, c);
    }

    public void vpshldw(Operand a, Vec b, Operand c, int immediate) {
        emit("vpshldw", a, b, c, new Immediate(immediate));
    }

    public void vpshrdw(Operand a, Vec b, Operand c, int immediate) {
        emit("vpshrdw", a, b, c, new Immediate(immediate));
    }

    public void vpshldd(Operand a, Vec b, Operand c, int immediate) {
        emit("vpshldd", a, b, c, new Immediate(immediate));
    }

    public void vpshrdd(Operand a, Vec b, Operand c, int immediate) {
        emit("vpshrdd", a, b, c, new Immediate(immediate));
    }

    public void vpcmpeqb(Operand a, Vec b, Operand c) {
        emit("vpcmpeqb", a, b, c);
    }

    public void vpcmpeqw(Operand a, Vec b, Operand c) {
        emit("vpcmpeqw", a, b, c);
    }

    public void vpcmpeqd(Operand a, Vec b, Operand c) {
        emit("vpcmpeqd", a, b, c);
    }

    public void vpcmpgtb(Operand a, Vec b, Operand c) {
        emit("vpcmpgtb", a, b, c);
    }

    public void vpcmpgtw(Operand a, Vec b, Operand c) {
        emit("vpcmpgtw", a, b, c);
    }

    public void vpcmpgtd(Operand a, Vec b, Operand c) {
        emit("vpcmpgtd", a, b, c);
    }

    public void vpcmpeqq(Operand a, Vec b, Operand c) {
        emit("vpcmpeqq", a, b, c);
    }

    public void vpcmpgtq(Operand a, Vec b, Operand c) {
        emit("vpcmpgtq", a, b, c);
    }

    public void vpcmpb(Operand a, Vec b, Operand c, int immediate) {
        emit("vpcmpb", a, b, c, new Immediate(immediate));
    }

    public void vpcmpub(Operand a, Vec b, Operand c, int immediate) {
        emit("vpcmpub", a, b, c, new Immediate(immediate));
    }

    public void vpcmpw(Operand a, Vec b, Operand c, int immediate) {
        emit("vpcmpw", a, b, c, new Immediate(immediate));
    }

    public void vpcmpuw(Operand a, Vec b, Operand c, int immediate) {
        emit("vpcmpuw", a, b, c, new Immediate(immediate));
    }

    public void vpcmpd(Operand a, Vec b, Operand c, int immediate) {
        emit("vpcmpd", a, b, c, new Immediate(immediate));
    }

    public void vpcmpud(Operand a, Vec b, Operand c, int immediate) {
        emit("vpcmpud", a, b, c, new Immediate(immediate));
    }

    public void vpcmpq(Operand a, Vec b, Operand c, int immediate) {
        emit("vpcmpq", a, b, c, new Immediate(immediate));
    }

    public void vpcmpuq(Operand a, Vec b, Operand c, int immediate) {
        emit("vpcmpuq", a, b, c, new Immediate(immediate));
    }

    public void vptest(Vec a, Operand b) {
        emit("vptest", a, b);
    }

    public void vtestps(Vec a, Operand b) {
        emit("vtestps", a, b);
    }

    public void vptestmb(Operand a, Vec b, Operand c) {
        emit("vptestmb", a, b, c);
    }

    public void vptestnmb(Operand a, Vec b, Operand c) {
        emit("vptestnmb", a, b, c);
    }

    public void vptestmw(Operand a, Vec b, Operand c) {
        emit("vptestmw", a, b, c);
    }

    public void vptestnmw(Operand a, Vec b, Operand c) {
        emit("vptestnmw", a, b, c);
    }

    public void vptestmd(Operand a, Vec b, Operand c) {
        emit("vptestmd", a, b, c);
    }

    public void vptestnmd(Operand a, Vec b, Operand c) {
        emit("vptestnmd", a, b, c);
    }

    public void vptestmq(Operand a, Vec b, Operand c) {
        emit("vptestmq", a, b, c);
    }

    public void vptestnmq(Operand a, Vec b, Operand c) {
        emit("vptestnmq", a, b, c);
    }

    public void vpmovm2b(Vec a, Mask b) {
        emit("vpmovm2b", a, b);
    }

    public void vpmovm2w(Vec a, Mask b) {
        emit("vpmovm2w", a, b);
    }

    public void vpmovm2d(Vec a, Mask b) {
        emit("vpmovm2d", a, b);
    }

    public void vpmovm2q(Vec a, Mask b) {
        emit("vpmovm2q", a, b);
    }

    public void vpmovb2m(Mask a, Vec b) {
        emit("vpmovb2m", a, b);
    }

    public void vpmovw2m(Mask a, Vec b) {
        emit("vpmovw2m", a, b);
    }

    public void vpmovd2m(Mask a, Vec b) {
        emit("vpmovd2m", a, b);
    }

    public void vpmovq2m(Mask a, Vec b) {
        emit("vpmovq2m", a, b);
    }

    public void kmovw(Operand a, Operand b) {
        emit("kmovw", a, b);
    }

    public void kmovb(Operand a, Operand b) {
        emit("kmovb", a, b);
    }

    public void kmovd(Operand a, Operand b) {
        emit("kmovd", a, b);
    }

    public void kmovq(Operand a, Operand b) {
        emit("kmovq", a, b);
    }

    public void kandw(Mask a, Mask b, Mask c) {
        emit("kandw", a, b, c);
    }

    public void kandnw(Mask a, Mask b, Mask c) {
        emit("kandnw", a, b, c);
    }

    public void korw(Mask a, Mask b, Mask c) {
        emit("korw", a, b, c);
    }

    public void kxnorw(Mask a, Mask b, Mask c) {
        emit("kxnorw", a, b, c);
    }

    public void kxorw(Mask a, Mask b, Mask c) {
        emit("kxorw", a, b, c);
    }

    public void kandb(Mask a, Mask b, Mask c) {
        emit("kandb", a, b, c);
    }

    public void kandnb(Mask a, Mask b, Mask c) {
        emit("kandnb", a, b, c);
    }

    public void korb(Mask a, Mask b, Mask c) {
        emit("korb", a, b, c);
    }

    public void kxnorb(Mask a, Mask b, Mask c) {
        emit("kxnorb", a, b, c);
    }

    public void kxorb(Mask a, Mask b, Mask c) {
        emit("kxorb", a, b, c);
    }

    public void kaddb(Mask a, Mask b, Mask c) {
        emit("kaddb", a, b, c);
    }

    public void kaddw(Mask a, Mask b, Mask c) {
        emit("kaddw", a, b, c);
    }

    public void kandd(Mask a, Mask b, Mask c) {
        emit("kandd", a, b, c);
    }

    public void kandnd(Mask a, Mask b, Mask c) {
        emit("kandnd", a, b, c);
    }

    public void kord(Mask a, Mask b, Mask c) {
        emit("kord", a, b, c);
    }

    public void kxnord(Mask a, Mask b, Mask c) {
        emit("kxnord", a, b, c);
    }

    public void kxord(Mask a, Mask b, Mask c) {
        emit("kxord", a, b, c);
    }

    public void kaddd(Mask a, Mask b, Mask c) {
        emit("kaddd", a, b, c);
    }

    public void kandq(Mask a, Mask b, Mask c) {
        emit("kandq", a, b, c);
    }

    public void kandnq(Mask a, Mask b, Mask c) {
        emit("kandnq", a, b, c);
    }

    public void korq(Mask a, Mask b, Mask c) {
        emit("korq", a, b, c);
    }

    public void kxnorq(Mask a, Mask b, Mask c) {
        emit("kxnorq", a, b, c);
    }

    public void kxorq(Mask a, Mask b, Mask c) {
        emit("kxorq", a, b, c);
    }

    public void kaddq(Mask a, Mask b, Mask c) {
        emit("kaddq", a, b, c);
    }

    public void kunpckbw(Mask a, Mask b, Mask c) {
        emit("kunpckbw", a, b, c);
    }

    public void kunpckwd(Mask a, Mask b, Mask c) {
        emit("kunpckwd", a, b, c);
    }

    public void kunpckdq(Mask a, Mask b, Mask c) {
        emit("kunpckdq", a, b, c);
    }

    public void knotw(Mask a, Mask b) {
        emit("knotw", a, b);
    }

    public void kortestw(Mask a, Mask b) {
        emit("kortestw", a, b);
    }

    public void ktestw(Mask a, Mask b) {
        emit("ktestw", a, b);
    }

    public void knotb(Mask a, Mask b) {
        emit("knotb", a, b);
    }

    public void kortestb(Mask a, Mask b) {
        emit("kortestb", a, b);
    }

    public void ktestb(Mask a, Mask b) {
        emit("ktestb", a, b);
    }

    public void knotd(Mask a, Mask b) {
        emit("knotd", a, b);
    }

    public void kortestd(Mask a, Mask b) {
        emit("kortestd", a, b);
    }

    public void ktestd(Mask a, Mask b) {
        emit("ktestd", a, b);
    }

    public void knotq(Mask a, Mask b) {
        emit("knotq", a, b);
    }

    public void kortestq(Mask a, Mask b) {
        emit("kortestq", a, b);
    }

    public void ktestq(Mask a, Mask b) {
        emit("ktestq", a, b);
    }

    public void kshiftlw(Mask a, Mask b, int immediate) {
        emit("kshiftlw", a, b, new Immediate(immediate));
    }

    public void kshiftrw(Mask a, Mask b, int immediate) {
        emit("kshiftrw", a, b, new Immediate(immediate));
    }

    public void kshiftlb(Mask a, Mask b, int immediate) {
        emit("kshiftlb", a, b, new Immediate(immediate));
    }

    public void kshiftrb(Mask a, Mask b, int immediate) {
        emit("kshiftrb", a, b, new Immediate(immediate));
    }

    public void kshiftld(Mask a, Mask b, int immediate) {
        emit("kshiftld", a, b, new Immediate(immediate));
    }

    public void kshiftrd(Mask a, Mask b, int immediate) {
        emit("kshiftrd", a, b, new Immediate(immediate));
    }

    public void kshiftlq(Mask a, Mask b, int immediate) {
        emit("kshiftlq", a, b, new Immediate(immediate));
    }

    public void kshiftrq(Mask a, Mask b, int immediate) {
        emit("kshiftrq", a, b, new Immediate(immediate));
    }

    public void vgatherdps(Vec a, Operand b, Vec c) {
        emit("vgatherdps", a, b, c);
    }

    public void vgatherdps(Operand a, Operand b) {
        emit("vgatherdps", a, b);
    }

    public void vpgatherdd(Vec a, Operand b, Vec c) {
        emit("vpgatherdd", a, b, c);
    }

    public void vpgatherdd(Operand a, Operand b) {
        emit("vpgatherdd", a, b);
    }

    public void vgatherdpd(Vec a, Operand b, Vec c) {
        emit("vgatherdpd", a, b, c);
    }

    public void vgatherdpd(Operand a, Operand b) {
        emit("vgatherdpd", a, b);
    }

    public void vpgatherdq(Vec a, Operand b, Vec c) {
        emit("vpgatherdq", a, b, c);
    }

    public void vpgatherdq(Operand a, Operand b) {
        emit("vpgatherdq", a, b);
    }

    public void vgatherqps(Vec a, Operand b, Vec c) {
        emit("vgatherqps", a, b, c);
    }

    public void vgatherqps(Operand a, Operand b) {
        emit("vgatherqps", a, b);
    }

    public void vpgatherqd(Vec a, Operand b, Vec c) {
        emit("vpgatherqd", a, b, c);
    }

    public void vpgatherqd(Operand a, Operand b) {
        emit("vpgatherqd", a, b);
    }

    public void vscatterdps(Operand a, Vec b) {
        emit("vscatterdps", a, b);
    }

    public void vpscatterdd(Operand a, Vec b) {
        emit("vpscatterdd", a, b);
    }

    public void ldtilecfg(Memory a) {
        emit("ldtilecfg", a);
    }

    public void sttilecfg(Memory a) {
        emit("sttilecfg", a);
    }

    public void tilerelease() {
        emit("tilerelease");
    }

    public void tilezero(Tile a) {
        emit("tilezero", a);
    }

    public void tileloadd(Tile a, Memory b) {
        emit("tileloadd", a, b);
    }

    public void tileloaddt1(Tile a, Memory b) {
        emit("tileloaddt1", a, b);
    }

    public void tilestored(Memory a, Tile b) {
        emit("tilestored", a, b);
    }

    public void tdpbf16ps(Tile a, Tile b, Tile c) {
        emit("tdpbf16ps", a, b, c);
    }

    public void tdpbssd(Tile a, Tile b, Tile c) {
        emit("tdpbssd", a, b, c);
    }

    public void tdpbsud(Tile a, Tile b, Tile c) {
        emit("tdpbsud", a, b, c);
    }

    public void tdpbusd(Tile a, Tile b, Tile c) {
        emit("tdpbusd", a, b, c);
    }

    public void tdpbuud(Tile a, Tile b, Tile c) {
        emit("tdpbuud", a, b, c);
    }
}
