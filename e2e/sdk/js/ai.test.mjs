import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embedMany, generateImage, generateSpeech, generateText, isStepCount, jsonSchema, Output, RetryError, streamText, tool, transcribe } from 'ai';
import { ada, at30, caught, clock, clockSchema, embedder, every, noSuchModel, personSchema, said, saidBeforeTheError, show, weather, weatherSchema, withKey } from './lab.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

// suite has the features of one provider package: make builds it, chat picks its model.
function suite(client, pkg, own, targets, make, chat) {
  const model = (c) => chat(make(c), c.model);
  const ask = (c, more = {}) => ({ model: model(c), maxOutputTokens: 500, instructions: 'Be short.', prompt: c.mark, ...more });

  async function says(c, more = {}) {
    const got = await generateText(ask(c, more));
    assert.equal(got.text, said);
    assert.equal(got.finishReason, 'stop');
    assert.ok(got.usage.inputTokens > 0 && got.usage.outputTokens > 0);
  }

  // read gathers what a stream has, its error among it.
  async function read(c, more = {}, each = () => {}) {
    const seen = { text: '', calls: [], finish: undefined, error: undefined, aborted: false };
    for await (const part of streamText(ask(c, { maxRetries: 0, onError() {}, ...more })).stream) {
      if (part.type === 'text-delta') { seen.text += part.text; each(); }
      if (part.type === 'tool-call') seen.calls.push([part.toolName, part.input]);
      if (part.type === 'finish') seen.finish = part.finishReason;
      if (part.type === 'error') seen.error = part.error;
      if (part.type === 'abort') seen.aborted = true;
    }
    return seen;
  }

  function isError(e, status) {
    assert.ok(APICallError.isInstance(e), `${e?.constructor?.name} ${e}`);
    assert.equal(e.statusCode, status);
    assert.ok(e.message && e.data, `message ${e.message}, body ${e.responseBody}`); // data: the body is of the form that the package knows
  }
  const fails = (status) => async (c) => isError(await caught(generateText(ask(c, { maxRetries: 0 }))), status);

  const weatherTool = { description: 'tells the weather', inputSchema: jsonSchema(weatherSchema) };
  const clockTool = { description: 'tells the clock', inputSchema: jsonSchema(clockSchema) };

  show(client, pkg, targets, {
    unary: (c) => says(c),
    'sdk-key': withKey((c) => says(c)),
    async stream(c) {
      const got = await read(c);
      assert.deepEqual(got, { text: said, calls: [], finish: 'stop', error: undefined, aborted: false });
    },
    async tools(c) {
      const execute = (input) => { assert.deepEqual(input, weather); return '21 degrees'; };
      const got = await generateText(ask(c, { tools: { weather: tool({ ...weatherTool, execute }) }, stopWhen: isStepCount(3) }));
      assert.equal(got.text, 'It is mild.');
      assert.equal(got.steps.length, 2);
    },
    async 'stream-tools'(c) {
      const got = await read(c, { tools: { weather: tool(weatherTool), clock: tool(clockTool) } });
      assert.deepEqual(got, { text: 'Let me see.', calls: [['weather', weather], ['clock', clock]], finish: 'tool-calls', error: undefined, aborted: false });
    },
    async structured(c) {
      const got = await generateText(ask(c, { output: Output.object({ schema: jsonSchema(personSchema), name: 'person' }) }));
      assert.deepEqual(got.output, ada);
    },
    async 'images-in'(c) {
      const content = [{ type: 'text', text: c.mark }, { type: 'image', image: c.picture, mediaType: 'image/png' }];
      const got = await generateText(ask(c, { prompt: undefined, messages: [{ role: 'user', content }] }));
      assert.equal(got.text, said);
    },
    async embeddings(c) {
      const got = await embedMany({ model: make(c).embeddingModel(embedder[c.target]), values: [c.mark, 'second'] });
      assert.equal(got.embeddings.length, 2);
      assert.ok(got.embeddings[0].length > 0 && got.embeddings[0].every(Number.isFinite));
    },
    async 'image-generation'(c) {
      const got = await generateImage({ model: make(c).imageModel('gpt-image-1'), prompt: c.mark, size: '1024x1024' });
      assert.ok(got.image.base64);
    },
    async speech(c) {
      const got = await generateSpeech({ model: make(c).speech('tts-1'), text: c.mark, voice: 'alloy' });
      const heard = Buffer.from(got.audio.uint8Array).toString('latin1');
      assert.ok(heard.startsWith('ID3') && heard.endsWith(said), heard);
    },
    async transcription(c) {
      const got = await transcribe({ model: make(c).transcription('whisper-1'), audio: c.sound, providerOptions: { openai: { prompt: c.mark } } });
      assert.equal(got.text, said);
    },
    async responses(c) {
      const got = await generateText(ask(c, { model: make(c).responses(c.model) }));
      assert.equal(got.text, said);
      assert.equal(got.finishReason, 'stop');
    },
    async 'stream-responses'(c) {
      const got = await read(c, { model: make(c).responses(c.model) });
      assert.deepEqual(got, { text: said, calls: [], finish: 'stop', error: undefined, aborted: false });
    },
    async 'responses-tools'(c) { // unless it is told that nothing is stored, the AI SDK refers to the text of an earlier step
      const execute = (input) => { assert.deepEqual(input, weather); return '21 degrees'; };
      const got = await generateText(ask(c, { model: make(c).responses(c.model), tools: { weather: tool({ ...weatherTool, execute }) }, stopWhen: isStepCount(3), providerOptions: { openai: { store: false } } }));
      assert.equal(got.text, 'It is mild.');
      assert.equal(got.steps.length, 2);
    },
    async 'responses-structured'(c) {
      const got = await generateText(ask(c, { model: make(c).responses(c.model), output: Output.object({ schema: jsonSchema(personSchema), name: 'person' }) }));
      assert.deepEqual(got.output, ada);
    },
    'error-400': fails(400),
    'error-403': fails(403),
    'error-404': fails(404),
    'error-409': fails(409),
    'error-422': fails(422),
    'error-429': fails(429),
    'error-500': fails(500),
    'error-529': (c) => fails(own === 'openai' && c.target !== own ? 503 : 529)(c), // OpenAI's own word is 503
    'error-refused': async (c) => isError(await caught(generateText(ask(c, { model: chat(make(c), noSuchModel(c, own)) }))), 400),
    'error-401': async (c) => isError(await caught(generateText(ask({ ...c, key: 'a-key-of-somebody-else' }))), 401),
    async 'error-rate'(c) {
      await says(c);
      const e = await caught(generateText(ask(c, { maxRetries: 0 })));
      isError(e, 429);
      assert.ok(e.responseHeaders['retry-after']);
    },
    async 'error-spent'(c) {
      await says(c);
      const e = await caught(generateText(ask(c)));
      isError(RetryError.isInstance(e) ? e.lastError : e, 429);
      assert.equal(c.sent, 2);
    },
    async retry(c) {
      await says(c);
      assert.equal(c.sent, 2);
    },
    async 'mid-stream-error'(c) {
      const got = await read(c);
      assert.ok(got.error, 'the stream tells of no error');
      assert.equal(got.text, saidBeforeTheError);
      assert.ok(got.finish === undefined || got.finish === 'error', `the stream ends as if all were well: ${got.finish}`);
    },
    async revoked(c) {
      const got = await read(c);
      assert.ok(got.error, 'the stream tells of no error');
      assert.ok(got.finish === undefined || got.finish === 'error', `the stream ends as if all were well: ${got.finish}`);
    },
    async abort(c) {
      const leave = new AbortController();
      const got = await read(c, { abortSignal: leave.signal }, () => leave.abort());
      assert.ok(got.aborted);
    },
    parallel: (c) => at30(() => says(c)),
  });
}

const with_ = (path) => (c) => ({ baseURL: c.base + path, apiKey: c.key, fetch: c.fetch });

suite('ai-openai', '@ai-sdk/openai', 'openai', every, (c) => createOpenAI(with_('/v1')(c)), (p, m) => p.chat(m));
suite('ai-compatible', '@ai-sdk/openai-compatible', 'openai', every, (c) => createOpenAICompatible({ name: 'passport', supportsStructuredOutputs: true, includeUsage: true, ...with_('/v1')(c) }), (p, m) => p.chatModel(m));
suite('ai-anthropic', '@ai-sdk/anthropic', 'anthropic', every, (c) => createAnthropic(with_('/anthropic')(c)), (p, m) => p(m));
suite('ai-google', '@ai-sdk/google', 'google', ['google'], (c) => createGoogleGenerativeAI(with_('/google/v1beta')(c)), (p, m) => p(m));
