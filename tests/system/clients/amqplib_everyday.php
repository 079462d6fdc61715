<?php
// Everyday work of a php-amqplib program. usage: php amqplib_everyday.php HOST PORT; exit code 0 when every step did what it should.
require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

[, $host, $port] = $argv;

function step(string $name, callable $work): void
{
    $work();
    echo "ok: $name\n";
}

function check(bool $condition, string $text): void
{
    if (!$condition) {
        throw new Exception($text);
    }
}

function open(): AMQPStreamConnection
{
    global $host, $port;
    return new AMQPStreamConnection($host, (int)$port, 'guest', 'guest', '/', false, 'AMQPLAIN', null, 'en_US', 5.0, 25.0, null, false, 10);
}

function eventually($channel, string $queue): AMQPMessage
{
    for ($patience = 1500; $patience > 0; $patience--) {
        $got = $channel->basic_get($queue, true);
        if ($got !== null) {
            return $got;
        }
        usleep(20000);
    }
    throw new Exception("nothing arrives in $queue");
}

function expect_close(int $code, callable $work): void
{
    try {
        $work();
    } catch (AMQPProtocolChannelException $error) {
        check($error->amqp_reply_code === $code, "closed with {$error->amqp_reply_code} instead of $code");
        return;
    }
    throw new Exception("the channel was not closed with $code");
}

$connection = open();
$channel = $connection->channel();

step('declare', function () use ($channel) {
    $channel->exchange_declare('php.x', 'topic', false, true, false);
    [, $count] = $channel->queue_declare('php.q', false, true, false, false);
    check($count === 0, 'the queue is not empty');
    $channel->queue_bind('php.q', 'php.x', 'orders.*');
});
step('publish with confirms', function () use ($channel) {
    $acked = 0;
    $channel->set_ack_handler(function () use (&$acked) { $acked++; });
    $channel->confirm_select();
    for ($at = 0; $at < 20; $at++) {
        $message = new AMQPMessage("$at", ['delivery_mode' => 2, 'application_headers' => new AMQPTable(['at' => $at])]);
        $channel->basic_publish($message, 'php.x', "orders.$at");
    }
    $channel->wait_for_pending_acks(10);
    check($acked === 20, "$acked confirms");
    [, $count] = $channel->queue_declare('php.q', true);
    check($count === 20, "$count messages are there");
});
step('mandatory return', function () use ($channel) {
    $code = 0;
    $channel->set_return_listener(function ($reply) use (&$code) { $code = $reply; });
    $channel->basic_publish(new AMQPMessage('?'), 'php.x', 'nobody', true);
    $channel->wait_for_pending_acks_returns(10);
    check($code === 312, "returned with $code");
});
step('consume, qos, ack, nack', function () use ($channel) {
    $seen = $again = [];
    $channel->basic_qos(0, 3, false);
    $channel->basic_consume('php.q', 'reader', false, false, false, false, function ($message) use (&$seen, &$again) {
        $at = (int)$message->body;
        check($message->isRedelivered() === isset($again[$at]), "wrong flag of $at");
        check($message->get('application_headers')->getNativeData()['at'] === $at, "wrong headers of $at");
        if ($at % 7 === 0 && !isset($again[$at])) {
            $again[$at] = true;
            $message->nack(true);
        } else {
            $seen[] = $at;
            $message->ack();
        }
    });
    while (count($seen) < 20) {
        $channel->wait(null, false, 10);
    }
    $channel->basic_cancel('reader');
    sort($seen);
    check($seen === range(0, 19), 'seen ' . implode(' ', $seen));
});
step('get', function () use ($channel) {
    $channel->basic_publish(new AMQPMessage('got'), '', 'php.q');
    $channel->wait_for_pending_acks(10);
    $message = $channel->basic_get('php.q');
    check($message !== null && $message->body === 'got', 'another message');
    $message->reject(false);
    check($channel->basic_get('php.q') === null, 'the queue is not empty');
});
step('ttl and dead letters', function () use ($channel) {
    $channel->queue_declare('php.dead', false, true, false, false);
    $channel->queue_declare('php.ttl', false, true, false, false, false, new AMQPTable([
        'x-message-ttl' => 100, 'x-dead-letter-exchange' => '', 'x-dead-letter-routing-key' => 'php.dead']));
    $channel->basic_publish(new AMQPMessage('late'), '', 'php.ttl');
    $dead = eventually($channel, 'php.dead');
    $death = $dead->get('application_headers')->getNativeData()['x-death'][0];
    check($dead->body === 'late' && $death['reason'] === 'expired', 'x-death is wrong');
});
step('headers exchange', function () use ($channel) {
    $channel->exchange_declare('php.h', 'headers', false, false, true);
    $channel->queue_bind('php.q', 'php.h', '', false, new AMQPTable(['x-match' => 'all', 'kind' => 'red', 'size' => 3]));
    foreach ([2, 3] as $size) {
        $headers = new AMQPTable(['kind' => 'red', 'size' => $size]);
        $channel->basic_publish(new AMQPMessage("$size", ['application_headers' => $headers]), 'php.h');
    }
    check(eventually($channel, 'php.q')->body === '3', 'the wrong message was routed');
});
step('server-named exclusive queue', function () use ($channel) {
    [$name] = $channel->queue_declare('', false, false, true, false);
    check(strpos($name, 'amq.gen-') === 0, $name);
    $other = open();
    expect_close(405, fn() => $other->channel()->queue_declare($name, true));
    $other->close();
});
step('passive declare of nothing closes the channel', function () use ($connection) {
    expect_close(404, fn() => $connection->channel()->queue_declare('php.nothing', true));
});
step('clean up', function () use ($channel) {
    foreach (['php.q', 'php.ttl', 'php.dead'] as $queue) {
        $channel->queue_delete($queue);
    }
    $channel->exchange_delete('php.x');
});
$connection->close();
