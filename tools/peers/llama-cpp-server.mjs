// A native llama.cpp (the npm package node-llama-cpp) behind OpenAI's /v1/completions, as far as `puna bench serving --url`
// asks: token ids as a prompt, greedy, streamed. Every client gets a sequence of one context, and they are computed
// together; who finds none free waits.
//
//   npm install --ignore-scripts node-llama-cpp
//   node llama-cpp-server.mjs MODEL.gguf PORT SEQUENCES POSITIONS [THREADS]
//   puna bench serving --url http://127.0.0.1:PORT --vocabulary 128000
//
// POSITIONS is what each sequence may hold, prompt and answer: node-llama-cpp's contextSize is per sequence, so the memory
// for keys and values grows with SEQUENCES · POSITIONS. FLASH_ATTENTION=1 turns llama.cpp's flash attention on.
import http from "node:http";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [path, port, sequences, positions, threads = "2"] = process.argv.slice(2);
if (positions === undefined) {
    console.error("node llama-cpp-server.mjs MODEL.gguf PORT SEQUENCES POSITIONS [THREADS]");
    process.exit(2);
}
const llama = await getLlama({build: "never", gpu: false, logLevel: LlamaLogLevel.warn, maxThreads: Number(threads)});
const model = await llama.loadModel({modelPath: path, useMmap: true});
const context = await model.createContext({
    sequences: Number(sequences), contextSize: Number(positions), batchSize: 512, threads: Number(threads),
    flashAttention: process.env.FLASH_ATTENTION === "1",
});

const free = Array.from({length: Number(sequences)}, () => context.getSequence());
const waiting = [];
const take = () => free.length ? Promise.resolve(free.pop()) : new Promise((resolve) => waiting.push(resolve));
const give = (sequence) => waiting.length ? waiting.shift()(sequence) : free.push(sequence);
const event = (value) => `data: ${JSON.stringify(value)}\n\n`;

async function complete({prompt, max_tokens: length}, response) {
    const sequence = await take();
    try {
        await sequence.clearHistory();
        response.writeHead(200, {"content-type": "text/event-stream"});
        let generated = 0;
        for await (const token of sequence.evaluate(prompt, {temperature: 0, yieldEogToken: true})) {
            generated++;
            response.write(event({choices: [{index: 0, text: ` ${token}`}]})); // ids serve to compare answers
            if (generated >= length || response.destroyed) break;
        }
        const usage = {prompt_tokens: prompt.length, completion_tokens: generated, total_tokens: prompt.length + generated};
        response.end(event({choices: [], usage}) + "data: [DONE]\n\n");
    } catch (error) {
        response.end(event({error: {message: String(error)}}));
    } finally {
        give(sequence);
    }
}

http.createServer((request, response) => {
    let body = "";
    request.on("data", (part) => body += part);
    request.on("end", () => {
        if (request.method !== "POST" || request.url !== "/v1/completions") {
            response.writeHead(404).end();
            return;
        }
        let asked;
        try {
            asked = JSON.parse(body);
        } catch (error) {
            response.writeHead(400).end(JSON.stringify({error: {message: String(error)}}));
            return;
        }
        complete(asked, response);
    });
}).listen(Number(port), "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
