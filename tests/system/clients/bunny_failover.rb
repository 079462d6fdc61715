# A bunny program that lives with failures: it connects again and goes on.
# usage: ruby bunny_failover.rb publish|consume HOST PORT QUEUE COUNT; says the same as pika_failover.py.
require "bunny"
require "set"

ROLE, HOST, PORT, NAME, COUNT = ARGV[0], ARGV[1], ARGV[2].to_i, ARGV[3], ARGV[4].to_i
PATIENCE = 90
CONFIRM_LIMIT = 20
TROUBLES = [Bunny::Exception, Timeout::Error, IOError, SystemCallError]

def now
  Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

# Its own recovery is off: the program decides what is published again.
def with_channel
  connection = Bunny.new(host: HOST, port: PORT, heartbeat: 5, automatically_recover: false, recover_from_connection_close: false,
                         log_level: :fatal, connection_timeout: 5, continuation_timeout: 10_000,
                         session_error_handler: Class.new { def raise(*); end; def handle(*); end }.new)
  connection.start
  channel = connection.create_channel
  yield connection, channel, channel.queue(NAME, durable: true)
  connection.close
  true
rescue *TROUBLES
  connection.transport.close rescue nil
  sleep 0.05
  false
end

def publish
  number = reconnects = 0
  while number < COUNT
    whole = with_channel do |connection, channel, _|
      channel.confirm_select
      while number < COUNT
        channel.default_exchange.publish(number.to_s, routing_key: NAME, persistent: true)
        limit = now + CONFIRM_LIMIT
        until channel.unconfirmed_set.empty?
          raise Timeout::Error if now > limit || !connection.open? || !channel.open?
          sleep 0.0005
        end
        raise Timeout::Error unless channel.nacked_set.empty?
        number += 1
      end
    end
    reconnects += 1 unless whole
  end
  puts "confirmed #{number} reconnects #{reconnects}"
end

def consume
  seen, flagged, unflagged = Set.new, 0, 0
  finish = now + PATIENCE
  while seen.size < COUNT && now < finish
    with_channel do |connection, channel, queue|
      channel.prefetch(50)
      queue.subscribe(manual_ack: true) do |delivery, _, body|
        if !seen.add?(body.to_i)
          delivery.redelivered? ? flagged += 1 : unflagged += 1
        end
        channel.ack(delivery.delivery_tag)
      rescue *TROUBLES
        nil # the loop below sees that the connection is gone
      end
      sleep 0.05 while seen.size < COUNT && now < finish && connection.open? && channel.open?
      raise Timeout::Error if seen.size < COUNT
    end
  end
  puts "seen #{seen.size} flagged #{flagged} unflagged #{unflagged}"
end

ROLE == "publish" ? publish : consume
$stdout.flush
exit!(0) # threads of broken connections may linger
