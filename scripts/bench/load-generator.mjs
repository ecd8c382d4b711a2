// Asks a server that speaks OpenAI's API for streamed chats, so many at a time, in a process of its own:
// node load-generator.mjs TASK, where TASK is JSON { url, loads: [{ name, parallel, requests, tokens, prompts }] }.
// Prints for each load what came of it, as JSON.
import { Agent, request } from 'node:http';
import { median } from './statistics.mjs';

/** A connection for each request: llama-server closes idle ones while they are taken up again. */
const agent = new Agent({ keepAlive: false });

/** The data of the events that are whole in a text, and what is left of it. */
function takeEvents(text) {
  const end = text.lastIndexOf('\n\n');
  if (end < 0) return { events: [], rest: text };
  const events = text
    .slice(0, end)
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice('data: '.length));
  return { events, rest: text.slice(end + 2) };
}

/** Content of any kind, such as the first token; the chunk that only names the role has none. */
function hasContent(event) {
  return event.includes('"content":"') && !event.includes('"content":""');
}

/** One chat: when its first token came and how many there were, by the server's own count. */
function ask(url, prompt, tokens) {
  const body = JSON.stringify({
    messages: [{ role: 'user', content: prompt }],
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0,
    max_tokens: tokens,
    ignore_eos: true,
  });
  return new Promise((resolve, reject) => {
    const began = performance.now();
    let firstTokenMs;
    let usage;
    let rest = '';
    const sent = request(
      `${url}/v1/chat/completions`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        response.setEncoding('utf8').on('data', (text) => {
          const taken = takeEvents(rest + text);
          rest = taken.rest;
          for (const event of taken.events) {
            if (firstTokenMs === undefined && hasContent(event)) firstTokenMs = performance.now() - began;
            if (event.includes('"usage":{')) usage = JSON.parse(event).usage;
          }
        });
        response.on('end', () => {
          if (response.statusCode === 200 && usage?.completion_tokens === tokens) {
            resolve({ firstTokenMs: firstTokenMs ?? performance.now() - began, cached: usage });
          } else {
            reject(new Error(`status ${response.statusCode}, usage ${JSON.stringify(usage)}: ${rest}`));
          }
        });
      },
    );
    sent.on('error', reject).end(body);
  });
}

async function runLoad(url, { parallel, requests, tokens, prompts }) {
  const answers = [];
  let next = 0;
  const began = performance.now();
  const client = async () => {
    while (next < requests) {
      const index = next++;
      answers.push(await ask(url, prompts[index % prompts.length], tokens));
    }
  };
  await Promise.all(Array.from({ length: parallel }, client));
  const totalMs = performance.now() - began;
  return {
    totalMs,
    tokensPerSecond: (requests * tokens * 1000) / totalMs,
    firstTokenMs: median(answers.map(({ firstTokenMs }) => firstTokenMs)),
  };
}

const { url, loads } = JSON.parse(process.argv[2]);
const results = {};
for (const { name, ...load } of loads) results[name] = await runLoad(url, load);
process.stdout.write(`${JSON.stringify(results)}\n`);
process.exit(0);
