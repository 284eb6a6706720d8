// One text turn and one tool turn, plain and streamed, by a vendor's own SDK.
//
//   node turns.mjs KIND PACKAGE GATEWAY MODEL
//
// KIND: chat, responses, messages, vercel-chat, vercel-responses or vercel-messages.
// Prints one JSON object: what the SDK made of each turn.

const [kind, library, gateway, model] = process.argv.slice(2);
const key = "sk-client";
globalThis.AI_SDK_LOG_WARNINGS = false; // it writes them to stdout, among our JSON
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const hello = [{ role: "user", content: "Hello" }];

async function chat() {
  const { default: OpenAI } = await import(library);
  const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: key, maxRetries: 0 });
  const tools = [{ type: "function", function: { name: "weather", parameters: city } }];
  const plain = await client.chat.completions.create({ model, messages: hello });
  let streamed = "";
  const options = { include_usage: true };
  let usage = null;
  const stream = await client.chat.completions.create({
    model, messages: hello, stream: true, stream_options: options,
  });
  for await (const chunk of stream) {
    streamed += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  const asked = client.chat.completions.stream({ model, messages: hello, tools });
  const { message } = (await asked.finalChatCompletion()).choices[0];
  const call = message.tool_calls[0];
  const history = [
    ...hello,
    { role: "assistant", content: message.content, tool_calls: message.tool_calls.map(bare) },
    { role: "tool", tool_call_id: call.id, content: "rain" },
  ];
  const last = await client.chat.completions.create({ model, messages: history, tools });
  return {
    plain: plain.choices[0].message.content,
    streamed,
    tokens: usage.completion_tokens,
    call: [call.function.name, JSON.parse(call.function.arguments)],
    last: last.choices[0].message.content,
    error: await failure(() => client.chat.completions.create({ model: "nobody/none", messages: hello })),
  };
}

async function responses() {
  const { default: OpenAI } = await import(library);
  const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: key, maxRetries: 0 });
  const tools = [{ type: "function", name: "weather", parameters: city, strict: false }];
  const plain = await client.responses.create({ model, input: "Hello" });
  let streamed = "";
  let usage = null;
  for await (const event of await client.responses.create({ model, input: "Hello", stream: true })) {
    if (event.type === "response.output_text.delta") streamed += event.delta;
    if (event.type === "response.completed") usage = event.response.usage;
  }
  const asked = client.responses.stream({ model, input: "Hello", tools });
  const first = await asked.finalResponse();
  const call = first.output.find((item) => item.type === "function_call");
  const input = [
    { role: "user", content: "Hello" },
    { type: "function_call", call_id: call.call_id, name: call.name, arguments: call.arguments },
    { type: "function_call_output", call_id: call.call_id, output: "rain" },
  ];
  const last = await client.responses.create({ model, input, tools });
  return {
    plain: plain.output_text,
    streamed,
    tokens: usage.output_tokens,
    call: [call.name, JSON.parse(call.arguments)],
    last: last.output_text,
    error: await failure(() => client.responses.create({ model: "nobody/none", input: "Hello" })),
  };
}

async function messages() {
  const { default: Anthropic } = await import(library);
  const client = new Anthropic({ baseURL: gateway, apiKey: key, maxRetries: 0 });
  const tools = [{ name: "weather", description: "Say the weather", input_schema: city }];
  const limit = { model, max_tokens: 100 };
  const plain = await client.messages.create({ ...limit, messages: hello });
  const flowing = client.messages.stream({ ...limit, messages: hello });
  const whole = await flowing.finalMessage();
  const asked = client.messages.stream({ ...limit, messages: hello, tools });
  const first = await asked.finalMessage();
  const call = first.content.find((block) => block.type === "tool_use");
  const result = { type: "tool_result", tool_use_id: call.id, content: "rain" };
  const history = [
    ...hello,
    { role: "assistant", content: first.content },
    { role: "user", content: [result] },
  ];
  const last = await client.messages.create({ ...limit, messages: history, tools });
  const text = (message) => message.content.filter((b) => b.type === "text").map((b) => b.text).join("");
  return {
    plain: text(plain),
    streamed: text(whole),
    tokens: whole.usage.output_tokens,
    call: [call.name, call.input],
    last: text(last),
    error: await failure(() => client.messages.create({ ...limit, model: "nobody/none", messages: hello })),
  };
}

async function vercel(way) {
  const { generateText, streamText, tool, stepCountIs } = await import("ai");
  const { z } = await import("zod");
  const provider = await vercelProvider(way);
  const made = way === "chat" ? provider.chatModel : provider;
  const named = (name) => made(name);
  const common = { model: named(model), maxRetries: 0 };
  const plain = await generateText({ ...common, prompt: "Hello" });
  const flowing = streamText({ ...common, prompt: "Hello" });
  let streamed = "";
  for await (const piece of flowing.textStream) streamed += piece;
  const calls = [];
  const weather = tool({
    description: "Say the weather",
    inputSchema: z.object({ city: z.string() }),
    execute: async (input) => { calls.push(input); return "rain"; },
  });
  const last = await generateText({
    ...common, prompt: "Hello", tools: { weather }, stopWhen: stepCountIs(3),
  });
  return {
    plain: plain.text,
    streamed,
    tokens: (await flowing.usage).outputTokens,
    call: ["weather", calls[0]],
    last: last.text,
    error: await failure(() => generateText({ ...common, model: named("nobody/none"), prompt: "Hello" })),
  };
}

async function vercelProvider(way) {
  const baseURL = `${gateway}/v1`;
  if (way === "messages") {
    const { createAnthropic } = await import("@ai-sdk/anthropic");
    return createAnthropic({ baseURL, apiKey: key });
  }
  if (way === "responses") {
    const { createOpenAI } = await import("@ai-sdk/openai");
    return createOpenAI({ baseURL, apiKey: key });
  }
  const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
  return createOpenAICompatible({ name: "gateway", baseURL, apiKey: key, includeUsage: true });
}

async function failure(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { status: error.status ?? error.statusCode, message: error.message };
  }
}

function bare({ id, type, function: { name, arguments: text } }) {
  return { id, type, function: { name, arguments: text } };
}

const ways = { chat, responses, messages };
const result = kind.startsWith("vercel-") ? await vercel(kind.slice(7)) : await ways[kind]();
console.log(JSON.stringify(result));
