// Serves the trace processor of Perfetto's UI, a module for web workers, on standard input and output:
//   node trace_processor.js .../engine_bundle.js
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const bundle = process.argv[2];
const silent = { log() {}, warn() {}, error() {} };

class XMLHttpRequest { // the worker loads its WebAssembly with it
  open(method, url) { this.file = path.join(path.dirname(bundle), url); }
  send() { this.response = new Uint8Array(fs.readFileSync(this.file)).buffer; }
}

const worker = vm.createContext({
  XMLHttpRequest, TextDecoder, URL, performance, crypto,
  WorkerGlobalScope: class {}, console: silent, location: { href: "" },
});
worker.self = worker;
vm.runInContext(fs.readFileSync(bundle, "utf8"), worker);

function write(bytes) {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) { // the pipe is full
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

const port = { postMessage: write };
worker.onmessage({ data: port });
const ofWorker = vm.runInContext("bytes => new Uint8Array(bytes)", worker);
process.stdin.on("data", (bytes) => port.onmessage({ data: ofWorker(bytes) }));
