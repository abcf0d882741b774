#!/bin/sh
':' // ; command -v node >/dev/null || exit 77; exec node "$0" "$@"
// The line above is a string to node and a program to sh: without node this peer is missing like any other.
//
// A peer of `make bench`: inference by onnxruntime on the CPU, fp32: `infer` of seed-cnn, `features` of ResNet50's frozen part.
//
//   onnxruntime_peer.js infer|features --precision fp32 [--threads N] [--batch N] [--seconds S]
//
// BENCH_PEERS is the folder where `make deps-bench` has put onnxruntime-node, seed_cnn.onnx and resnet50.onnx. Prints name=...,
// images_per_second=... (the median over the runs). Exits with 77 where one of them or node is missing.
'use strict';
const fs = require('fs');
const path = require('path');

const folder = path.resolve(process.env.BENCH_PEERS || 'build/bench/peers');
const tasks = { infer: { file: 'seed_cnn.onnx', side: 100 }, features: { file: 'resnet50.onnx', side: 224 } };
const modules = path.join(folder, 'node_modules/onnxruntime-node');

function option(name, fallback) {
  const place = process.argv.indexOf(name);
  return place < 0 ? fallback : process.argv[place + 1];
}

async function main() {
  let ort;
  const task = tasks[process.argv[2]];
  if (!task || option('--precision', 'fp32') !== 'fp32') process.exit(77);
  const model = path.join(folder, task.file);
  try {
    ort = require(modules);
    fs.accessSync(model);
  } catch {
    process.exit(77);
  }
  const batch = Number(option('--batch', 64));
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: Number(option('--threads', 1)),
    interOpNumThreads: 1,
  });
  // Prepared beforehand, as for PyTorch.
  const pixels = Float32Array.from({ length: batch * 3 * task.side * task.side }, Math.random);
  const feeds = { pixels: new ort.Tensor('float32', pixels, [batch, 3, task.side, task.side]) };
  for (let i = 0; i < 2; i++) await session.run(feeds);
  const took = [];
  const begun = process.hrtime.bigint();
  while (took.length < 3 || Number(process.hrtime.bigint() - begun) < 1e9 * Number(option('--seconds', 5))) {
    const start = process.hrtime.bigint();
    await session.run(feeds);
    took.push(Number(process.hrtime.bigint() - start) / 1e9);
  }
  took.sort((a, b) => a - b);
  const middle = took.length >> 1;
  const median = took.length % 2 ? took[middle] : (took[middle - 1] + took[middle]) / 2;
  console.log(`name=onnxruntime ${JSON.parse(fs.readFileSync(path.join(modules, 'package.json'))).version}`);
  console.log(`images_per_second=${(batch / median).toFixed(2)}`);
}

main().catch((error) => {
  console.error(`onnxruntime_peer: ${error.message}`);
  process.exit(1);
});
