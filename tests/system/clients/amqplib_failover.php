<?php
// A php-amqplib program that lives with failures: it connects again and goes on.
// usage: php amqplib_failover.php publish|consume HOST PORT QUEUE COUNT; says the same as pika_failover.py.
require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPExceptionInterface;
use PhpAmqpLib\Message\AMQPMessage;

const PATIENCE = 90;
const CONFIRM_LIMIT = 20;

[, $role, $host, $port, $queue, $count] = $argv;
$count = (int)$count;
set_error_handler(fn() => true); // a broken pipe is an exception of the library, and a warning of PHP

/** Calls $work with a channel of a fresh connection; false when that broke. */
function with_channel(callable $work): bool
{
    global $host, $port, $queue;
    $connection = null;
    try {
        $connection = new AMQPStreamConnection($host, (int)$port, 'guest', 'guest', '/', false, 'AMQPLAIN', null, 'en_US', 5.0, 25.0, null,
                                               false, 10);
        $channel = $connection->channel();
        $channel->queue_declare($queue, false, true, false, false);
        $work($channel);
        $connection->close();
        return true;
    } catch (AMQPExceptionInterface | \ErrorException | \RuntimeException $error) {
        usleep(50000);
        return false;
    }
}

function publish(int $count, string $queue): void
{
    $number = $reconnects = 0;
    while ($number < $count) {
        $whole = with_channel(function ($channel) use (&$number, $count, $queue) {
            $confirmed = false;
            $channel->set_ack_handler(function () use (&$confirmed) { $confirmed = true; });
            $channel->confirm_select();
            while ($number < $count) {
                $confirmed = false;
                $channel->basic_publish(new AMQPMessage("$number", ['delivery_mode' => 2]), '', $queue);
                $channel->wait_for_pending_acks(CONFIRM_LIMIT);
                if (!$confirmed) {
                    throw new RuntimeException('no confirm');
                }
                $number++;
            }
        });
        $reconnects += $whole ? 0 : 1;
    }
    echo "confirmed $number reconnects $reconnects\n";
}

function consume(int $count, string $queue): void
{
    $seen = [];
    $flagged = $unflagged = 0;
    $end = microtime(true) + PATIENCE;
    while (count($seen) < $count && microtime(true) < $end) {
        with_channel(function ($channel) use (&$seen, &$flagged, &$unflagged, $count, $queue, $end) {
            $channel->basic_qos(0, 50, false);
            $channel->basic_consume($queue, '', false, false, false, false, function ($message) use (&$seen, &$flagged, &$unflagged) {
                if (isset($seen[$message->body])) {
                    $message->isRedelivered() ? $flagged++ : $unflagged++;
                }
                $seen[$message->body] = true;
                $message->ack();
            });
            while (count($seen) < $count && microtime(true) < $end) {
                $channel->wait(null, false, 15);
            }
        });
    }
    echo 'seen ', count($seen), " flagged $flagged unflagged $unflagged\n";
}

$role === 'publish' ? publish($count, $queue) : consume($count, $queue);
