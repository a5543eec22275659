import torch,time,sys
from transformers import LlamaConfig, LlamaForCausalLM
which=sys.argv[1]; comp=sys.argv[2]=='c'
torch.set_num_threads(2); torch.manual_seed(0)
if which=='15': c=LlamaConfig(hidden_size=288,num_hidden_layers=6,num_attention_heads=6,intermediate_size=768,vocab_size=32000,max_position_embeddings=256,tie_word_embeddings=True);B,T=16,256
else: c=LlamaConfig(hidden_size=768,num_hidden_layers=12,num_attention_heads=12,intermediate_size=2048,vocab_size=32000,max_position_embeddings=1024,tie_word_embeddings=True);B,T=2,1024
m=LlamaForCausalLM(c); m.train()
opt=torch.optim.AdamW(m.parameters(),lr=3e-4,betas=(.9,.95),weight_decay=.1,fused=True)
def step(x):
    with torch.autocast('cpu',torch.bfloat16):
        loss=m(input_ids=x,labels=x).loss
    loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(),1.0); opt.step(); opt.zero_grad(set_to_none=True); return loss
if comp: m=torch.compile(m)
x=torch.randint(0,32000,(B,T)); ts=[]
n=8 if which=='15' else 5
for i in range(n):
    t=time.time(); l=step(x).item(); ts.append(time.time()-t)
ts=sorted(ts[2:]); import resource
print(which,comp,'tok/s',B*T/ts[len(ts)//2],'rss GB',resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1e6)
