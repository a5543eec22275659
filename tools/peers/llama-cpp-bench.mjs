// Measures a native llama.cpp (the npm package node-llama-cpp) on a GGUF file: prefill and decode tokens per second.
// npm install --ignore-scripts node-llama-cpp ; node llama-cpp-bench.mjs MODEL.gguf [threads] [prompt tokens] [new tokens]
import {getLlama} from "node-llama-cpp";
const [file, threads = "2", prompt = "512", fresh = "64"] = process.argv.slice(2);
const llama = await getLlama({build: "never", gpu: false, maxThreads: Number(threads), logLevel: "error"});
const t0 = performance.now();
const model = await llama.loadModel({modelPath: file, useMmap: true});
const loadMs = performance.now() - t0;
const context = await model.createContext({contextSize: 2048, batchSize: 512, threads: Number(threads), flashAttention: true});
const sequence = context.getSequence();
const P = Number(prompt), N = Number(fresh);
const median = (a) => a.sort((x, y) => x - y)[a.length >> 1];
const tokens = Array.from({length: P}, (_, i) => 1000 + (i * 7919) % 20000);
const prefill = [], decode = [];
for (let run = 0; run < 4; run++) {
    await sequence.clearHistory();
    let t = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(tokens);
    const seconds = (performance.now() - t) / 1000;
    let n = 0; const steps = [];
    t = performance.now();
    for await (const token of sequence.evaluate([2000], {temperature: 0, yieldEogToken: true})) {
        const now = performance.now(); steps.push(now - t); t = now;
        if (++n > N) break;
    }
    if (run > 0) { prefill.push(P / seconds); decode.push(1000 / median(steps.slice(1))); }
}
console.log(JSON.stringify({file, threads: Number(threads), loadMs, prefillTokensPerSecond: median(prefill), decodeTokensPerSecond: median(decode)}));
process.exit(0);
