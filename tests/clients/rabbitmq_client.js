// rabbitmq-client of npm, which has its own protocol and connects again by itself.
// usage: node rabbitmq_client.js everyday HOST PORT | publish|consume HOST PORT QUEUE COUNT
const assert = require('assert');
const { Connection } = require('rabbitmq-client');

const [role, host, port, queue, countText] = process.argv.slice(2);
const count = Number(countText);
const PATIENCE_MS = 90000;
const ok = (name) => console.log(`ok: ${name}`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function connect() {
  const rabbit = new Connection({ url: `amqp://guest:guest@${host}:${port}`, heartbeat: 5, retryLow: 50, retryHigh: 1000 });
  rabbit.on('error', () => {}); // it tries again
  return rabbit;
}

async function everyday() {
  const rabbit = connect();
  await rabbit.exchangeDeclare({ exchange: 'rc.x', type: 'topic', durable: true });
  await rabbit.queueDeclare({ queue: 'rc.q', durable: true });
  await rabbit.queueBind({ queue: 'rc.q', exchange: 'rc.x', routingKey: 'orders.#' });
  ok('declare and bind');
  const publisher = rabbit.createPublisher({ confirm: true });
  let returned = null;
  publisher.on('basic.return', (message) => { returned = message.replyCode; });
  for (let at = 0; at < 20; at++) {
    await publisher.send({ exchange: 'rc.x', routingKey: `orders.${at}`, durable: true, headers: { at } }, { at });
  }
  assert.strictEqual((await rabbit.queueDeclare({ queue: 'rc.q', passive: true })).messageCount, 20);
  ok('publish with confirms');
  await publisher.send({ exchange: 'rc.x', routingKey: 'nobody', mandatory: true }, '?');
  for (const end = Date.now() + 5000; returned === null && Date.now() < end;) await pause(5);
  assert.strictEqual(returned, 312);
  ok('mandatory return');
  const seen = [];
  const again = new Set();
  const consumer = rabbit.createConsumer({ queue: 'rc.q', queueOptions: { durable: true }, qos: { prefetchCount: 3 } }, async (message) => {
    const { at } = message.body;
    assert.strictEqual(message.headers.at, at);
    if (at % 7 === 0 && !message.redelivered) {
      again.add(at);
      throw new Error('requeue'); // its way to say so
    }
    assert.strictEqual(message.redelivered, again.has(at));
    seen.push(at);
  });
  consumer.on('error', () => {}); // of each requeue too
  for (const end = Date.now() + 20000; seen.length < 20 && Date.now() < end;) await pause(20);
  await consumer.close();
  assert.deepStrictEqual(seen.sort((a, b) => a - b), [...Array(20).keys()]);
  ok('consume with prefetch, ack, requeue');
  const server = rabbit.createConsumer({ queue: 'rc.rpc', queueOptions: { queue: 'rc.rpc', autoDelete: true } },
    async (request, reply) => reply(request.body + 1));
  const client = rabbit.createRPCClient({ confirm: true });
  assert.strictEqual((await client.send('rc.rpc', 41)).body, 42);
  await client.close();
  await server.close();
  ok('a call by direct reply-to');
  await assert.rejects(rabbit.queueDeclare({ queue: 'rc.nothing', passive: true }), { code: 'NOT_FOUND' });
  ok('passive declare of nothing');
  await publisher.close();
  await rabbit.queueDelete({ queue: 'rc.q' });
  await rabbit.exchangeDelete({ exchange: 'rc.x' });
  await rabbit.close();
  ok('clean up');
}

async function publish() {
  const rabbit = connect();
  const publisher = rabbit.createPublisher({ confirm: true, maxAttempts: 1, queues: [{ queue, durable: true }] });
  let number = 0;
  let again = 0;
  while (number < count) {
    try {
      await publisher.send({ routingKey: queue, durable: true }, String(number));
      number++;
    } catch (error) {
      again++;
      await pause(50);
    }
  }
  console.log(`confirmed ${number} reconnects ${again}`);
}

async function consume() {
  const rabbit = connect();
  const seen = new Set();
  let flagged = 0;
  let unflagged = 0;
  const options = { queue, queueOptions: { queue, durable: true }, qos: { prefetchCount: 50 } };
  const consumer = rabbit.createConsumer(options, async (message) => {
    const number = Number(message.body);
    if (seen.has(number)) message.redelivered ? flagged++ : unflagged++;
    seen.add(number);
  });
  consumer.on('error', () => {});
  for (const end = Date.now() + PATIENCE_MS; seen.size < count && Date.now() < end;) await pause(50);
  await pause(200); // the last acks
  console.log(`seen ${seen.size} flagged ${flagged} unflagged ${unflagged}`);
}

({ everyday, publish, consume })[role]().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
