// Everyday work of a node program with amqplib. usage: node amqplib_everyday.js HOST PORT; exit code 0 when every step did what it should.
const assert = require('assert');
const amqplib = require('amqplib');

const [host, port] = process.argv.slice(2);
const url = `amqp://${host}:${port}?heartbeat=10`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function step(name, work) {
  await work();
  console.log(`ok: ${name}`);
}

async function eventually(channel, queue) {
  for (let patience = 1500; patience > 0; patience--) {
    const got = await channel.get(queue, { noAck: true });
    if (got) return got;
    await pause(20);
  }
  throw new Error(`nothing arrives in ${queue}`);
}

function nextReturn(channel) {
  return new Promise((resolve) => channel.once('return', resolve));
}

async function consume(channel) {
  const seen = [];
  const again = new Set();
  await channel.prefetch(3);
  await new Promise((resolve, reject) => {
    channel.consume('node.q', (message) => {
      try {
        const at = Number(message.content.toString());
        assert.strictEqual(message.properties.headers.at, at);
        assert.strictEqual(message.fields.redelivered, again.has(at));
        if (at % 7 === 0 && !again.has(at)) {
          again.add(at);
          channel.nack(message);
          return;
        }
        seen.push(at);
        channel.ack(message);
        if (seen.length === 20) resolve();
      } catch (error) {
        reject(error);
      }
    }, { consumerTag: 'reader' });
  });
  await channel.cancel('reader');
  assert.deepStrictEqual(seen.sort((a, b) => a - b), [...Array(20).keys()]);
}

async function expectChannelError(connection, code, work) {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  await assert.rejects(work(channel), (error) => error.code === code);
}

async function main() {
  const connection = await amqplib.connect(url);
  const channel = await connection.createConfirmChannel();

  await step('declare', async () => {
    await channel.assertExchange('node.x', 'topic', { durable: true });
    assert.strictEqual((await channel.assertQueue('node.q', { durable: true })).messageCount, 0);
    await channel.bindQueue('node.q', 'node.x', 'orders.*');
  });
  await step('publish with confirms', async () => {
    for (let at = 0; at < 20; at++) {
      channel.publish('node.x', `orders.${at}`, Buffer.from(String(at)), { persistent: true, headers: { at } });
    }
    await channel.waitForConfirms();
    assert.strictEqual((await channel.checkQueue('node.q')).messageCount, 20);
  });
  await step('mandatory return', async () => {
    const returned = nextReturn(channel);
    channel.publish('node.x', 'nobody', Buffer.from('?'), { mandatory: true });
    assert.strictEqual((await returned).fields.replyCode, 312);
    await channel.waitForConfirms();
  });
  await step('consume, qos, ack, nack', () => consume(channel));
  await step('get', async () => {
    channel.sendToQueue('node.q', Buffer.from('got'));
    await channel.waitForConfirms();
    const message = await channel.get('node.q');
    assert.strictEqual(message.content.toString(), 'got');
    channel.reject(message, false);
    assert.strictEqual(await channel.get('node.q'), false);
  });
  await step('ttl and dead letters', async () => {
    await channel.assertQueue('node.dead');
    await channel.assertQueue('node.ttl', { messageTtl: 100, deadLetterExchange: '', deadLetterRoutingKey: 'node.dead' });
    channel.sendToQueue('node.ttl', Buffer.from('late'));
    const dead = await eventually(channel, 'node.dead');
    assert.strictEqual(dead.content.toString(), 'late');
    assert.strictEqual(dead.properties.headers['x-death'][0].reason, 'expired');
  });
  await step('headers exchange', async () => {
    await channel.assertExchange('node.h', 'headers');
    await channel.bindQueue('node.q', 'node.h', '', { 'x-match': 'any', kind: 'red', size: 3 });
    channel.publish('node.h', '', Buffer.from('no'), { headers: { kind: 'blue' } });
    channel.publish('node.h', '', Buffer.from('yes'), { headers: { kind: 'blue', size: 3 } });
    assert.strictEqual((await eventually(channel, 'node.q')).content.toString(), 'yes');
  });
  await step('server-named exclusive queue', async () => {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    assert.ok(queue.startsWith('amq.gen-'));
    const other = await amqplib.connect(url);
    await expectChannelError(other, 405, (theirs) => theirs.checkQueue(queue));
    await other.close();
  });
  await step('passive declare of nothing closes the channel',
    () => expectChannelError(connection, 404, (theirs) => theirs.checkQueue('node.nothing')));
  await step('clean up', async () => {
    for (const queue of ['node.q', 'node.ttl', 'node.dead']) await channel.deleteQueue(queue);
    for (const exchange of ['node.x', 'node.h']) await channel.deleteExchange(exchange);
  });
  await connection.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
