# Everyday work of a bunny program. usage: ruby bunny_everyday.rb HOST PORT; exit code 0 when every step did what it should.
require "bunny"

def step(name)
  yield
  puts "ok: #{name}"
  $stdout.flush
end

def check(condition, text)
  raise text unless condition
end

def eventually(queue)
  1500.times do
    delivery, properties, body = queue.pop
    return [delivery, properties, body] if delivery
    sleep 0.02
  end
  raise "nothing arrives in #{queue.name}"
end

host, port = ARGV
options = { host: host, port: port.to_i, heartbeat: 10, recover_from_connection_close: false }
connection = Bunny.new(options).start
channel = connection.create_channel
exchange = queue = nil

step("declare") do
  exchange = channel.topic("bunny.x", durable: true)
  queue = channel.queue("bunny.q", durable: true).bind(exchange, routing_key: "orders.#")
  check(queue.message_count == 0, "the queue is not empty")
end

step("publish with confirms") do
  channel.confirm_select
  20.times { |at| exchange.publish(at.to_s, routing_key: "orders.#{at}", persistent: true, headers: { "at" => at }) }
  check(channel.wait_for_confirms, "something was nacked")
  check(queue.message_count == 20, "#{queue.message_count} messages are there")
end

step("mandatory return") do
  returned = Queue.new
  exchange.on_return { |info, _, body| returned << [info.reply_code, body] }
  exchange.publish("?", routing_key: "nobody", mandatory: true)
  check(channel.wait_for_confirms, "nacked")
  check(returned.pop == [312, "?"], "the return is wrong")
end

step("consume, qos, ack, nack") do
  channel.prefetch(3)
  seen, again, done = [], {}, Queue.new
  consumer = queue.subscribe(manual_ack: true) do |delivery, properties, body|
    at = body.to_i
    done << "wrong headers or flag of #{at}" if properties.headers["at"] != at || delivery.redelivered? != again.key?(at)
    if at % 7 == 0 && !again.key?(at)
      again[at] = true
      channel.nack(delivery.delivery_tag, false, true)
    else
      seen << at
      channel.ack(delivery.delivery_tag)
      done << nil if seen.size == 20
    end
  end
  trouble = done.pop
  check(trouble.nil?, trouble)
  consumer.cancel
  check(seen.sort == (0..19).to_a, "seen #{seen}")
end

step("get") do
  channel.default_exchange.publish("got", routing_key: queue.name)
  delivery, _, body = eventually(queue)
  check(body == "got" && delivery.exchange == "", "another message")
end

step("ttl and dead letters") do
  dead = channel.queue("bunny.dead", durable: true)
  channel.queue("bunny.ttl", durable: true, arguments: {
    "x-message-ttl" => 100, "x-dead-letter-exchange" => "", "x-dead-letter-routing-key" => "bunny.dead" })
  channel.default_exchange.publish("late", routing_key: "bunny.ttl")
  _, properties, body = eventually(dead)
  check(body == "late" && properties.headers["x-death"][0]["reason"] == "expired", "x-death: #{properties.headers}")
end

step("headers exchange") do
  headers = channel.headers("bunny.h")
  queue.bind(headers, arguments: { "x-match" => "all", "kind" => "red", "size" => 3 })
  headers.publish("no", headers: { "kind" => "red", "size" => 2 })
  headers.publish("yes", headers: { "kind" => "red", "size" => 3 })
  check(eventually(queue)[2] == "yes", "the wrong message was routed")
end

step("server-named exclusive queue") do
  mine = channel.queue("", exclusive: true)
  check(mine.name.start_with?("amq.gen-"), mine.name)
  other = Bunny.new(options).start
  begin
    other.create_channel.queue(mine.name, passive: true)
    raise "another connection may look at an exclusive queue"
  rescue Bunny::ResourceLocked
  end
  other.close
end

step("passive declare of nothing closes the channel") do
  begin
    connection.create_channel.queue("bunny.nothing", passive: true)
    raise "a queue that nobody declared is there"
  rescue Bunny::NotFound
  end
end

step("clean up") do
  %w[bunny.q bunny.ttl bunny.dead].each { |name| channel.queue_delete(name) }
  %w[bunny.x bunny.h].each { |name| channel.exchange_delete(name) }
end
connection.close
