// A node program that lives with failures: it connects again and goes on.
// usage: node amqplib_failover.js publish|consume HOST PORT QUEUE COUNT; says the same as pika_failover.py.
const amqplib = require('amqplib');

const [role, host, port, queue, countText] = process.argv.slice(2);
const count = Number(countText);
const PATIENCE_MS = 90000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls work(connection, broken) with a fresh connection; `broken` rejects when that one breaks.
async function withConnection(work) {
  let connection;
  try {
    connection = await amqplib.connect(`amqp://${host}:${port}?heartbeat=5`);
    const broken = new Promise((_, reject) => {
      connection.on('error', reject);
      connection.on('close', () => reject(new Error('closed')));
    });
    broken.catch(() => {});
    await work(connection, broken);
    await connection.close();
    return true;
  } catch (error) {
    if (connection) connection.close().catch(() => {});
    await pause(50);
    return false;
  }
}

async function publish() {
  let number = 0;
  let reconnects = 0;
  while (number < count) {
    const whole = await withConnection(async (connection, broken) => {
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => {});
      await channel.assertQueue(queue, { durable: true });
      while (number < count) {
        channel.sendToQueue(queue, Buffer.from(String(number)), { persistent: true });
        await Promise.race([channel.waitForConfirms(), broken]);
        number++;
        if (number === Math.floor(count / 3)) console.log('a third');
      }
    });
    if (!whole) reconnects++;
  }
  console.log(`confirmed ${number} reconnects ${reconnects}`);
}

async function consume() {
  const seen = new Set();
  let flagged = 0;
  let unflagged = 0;
  const end = Date.now() + PATIENCE_MS;
  while (seen.size < count && Date.now() < end) {
    await withConnection(async (connection, broken) => {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      await channel.assertQueue(queue, { durable: true });
      await channel.prefetch(50);
      let finish;
      const done = new Promise((resolve) => { finish = resolve; });
      await channel.consume(queue, (message) => {
        if (!message) return;
        const number = Number(message.content.toString());
        if (seen.has(number)) message.fields.redelivered ? flagged++ : unflagged++;
        seen.add(number);
        channel.ack(message);
        if (seen.size === count) finish();
      });
      await Promise.race([done, broken, pause(end - Date.now())]);
    });
  }
  console.log(`seen ${seen.size} flagged ${flagged} unflagged ${unflagged}`);
}

(role === 'publish' ? publish() : consume()).then(() => process.exit(0));
