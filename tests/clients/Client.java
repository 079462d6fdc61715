// The Java client. usage: java Client.java everyday HOST PORT | publish|consume HOST PORT QUEUE COUNT

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

public class Client {
    static final long PATIENCE_MS = 60000;

    static void ok(String name) {
        System.out.println("ok: " + name);
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new IllegalStateException(what);
    }

    static class Taker extends DefaultConsumer {
        final BlockingQueue<GetResponse> messages = new ArrayBlockingQueue<>(100000);

        Taker(Channel channel) {
            super(channel);
        }

        @Override
        public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
            messages.add(new GetResponse(envelope, properties, body, 0));
        }
    }

    static void everyday(ConnectionFactory factory) throws Exception {
        try (Connection connection = factory.newConnection()) {
            Channel channel = connection.createChannel();
            channel.exchangeDeclare("java.x", "topic", true);
            channel.queueDeclare("java.q", true, false, false, null);
            channel.queueBind("java.q", "java.x", "orders.#");
            ok("declare and bind");
            channel.confirmSelect();
            for (int at = 0; at < 20; at++) {
                AMQP.BasicProperties properties = MessageProperties.PERSISTENT_TEXT_PLAIN.builder()
                    .headers(Collections.singletonMap("at", (Object) at)).build();
                channel.basicPublish("java.x", "orders." + at, properties, ("" + at).getBytes());
            }
            channel.waitForConfirmsOrDie(10000);
            check(channel.messageCount("java.q") == 20, "count");
            ok("publish with confirms");
            BlockingQueue<Integer> returned = new ArrayBlockingQueue<>(1);
            channel.addReturnListener((code, text, exchange, key, properties, body) -> returned.add(code));
            channel.basicPublish("java.x", "nobody", true, null, "?".getBytes());
            check(returned.poll(10, TimeUnit.SECONDS) == 312, "return");
            ok("mandatory return");
            channel.basicQos(3);
            Taker taker = new Taker(channel);
            String tag = channel.basicConsume("java.q", false, taker);
            Set<Integer> seen = new HashSet<>();
            while (seen.size() < 20) {
                GetResponse message = taker.messages.poll(10, TimeUnit.SECONDS);
                check(message != null, "no more messages after " + seen);
                int at = Integer.parseInt(new String(message.getBody()));
                check(message.getProps().getHeaders().get("at").equals(at), "header");
                long number = message.getEnvelope().getDeliveryTag();
                if (at % 7 == 0 && !message.getEnvelope().isRedeliver()) {
                    channel.basicNack(number, false, true);
                } else {
                    seen.add(at);
                    channel.basicAck(number, false);
                }
            }
            channel.basicCancel(tag);
            ok("consume with prefetch, ack, nack, cancel");
            byte[] large = new byte[1000000];
            Arrays.fill(large, (byte) 0xce);
            channel.basicPublish("", "java.q", null, large);
            channel.waitForConfirmsOrDie(10000);
            check(Arrays.equals(channel.basicGet("java.q", true).getBody(), large), "large body");
            check(channel.basicGet("java.q", true) == null, "get of nothing");
            ok("get, large body");
            Channel other = connection.createChannel();
            other.txSelect();
            other.basicPublish("", "java.q", null, "committed".getBytes());
            other.txCommit();
            check(new String(other.basicGet("java.q", true).getBody()).equals("committed"), "transaction");
            other.close();
            ok("transaction");
            channel.queueDelete("java.q");
            channel.exchangeDelete("java.x");
            ok("clean up");
        }
    }

    static void publish(ConnectionFactory factory, String queue, int count) throws Exception {
        int number = 0, reconnects = 0;
        while (number < count) {
            try (Connection connection = factory.newConnection()) {
                Channel channel = connection.createChannel();
                channel.queueDeclare(queue, true, false, false, null);
                channel.confirmSelect();
                for (; number < count; number++) {
                    channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, ("" + number).getBytes());
                    channel.waitForConfirmsOrDie(20000);
                }
            } catch (Exception error) {
                reconnects++;
                Thread.sleep(50);
            }
        }
        System.out.println("confirmed " + number + " reconnects " + reconnects);
    }

    static void consume(ConnectionFactory factory, String queue, int count) throws Exception {
        Set<Integer> seen = new HashSet<>();
        int flagged = 0, unflagged = 0;
        long end = System.currentTimeMillis() + PATIENCE_MS;
        while (seen.size() < count && System.currentTimeMillis() < end) {
            try (Connection connection = factory.newConnection()) {
                Channel channel = connection.createChannel();
                channel.queueDeclare(queue, true, false, false, null);
                channel.basicQos(50);
                Taker taker = new Taker(channel);
                channel.basicConsume(queue, false, taker);
                while (seen.size() < count && System.currentTimeMillis() < end && channel.isOpen()) {
                    GetResponse message = taker.messages.poll(1, TimeUnit.SECONDS);
                    if (message == null) continue;
                    if (!seen.add(Integer.parseInt(new String(message.getBody())))) {
                        if (message.getEnvelope().isRedeliver()) flagged++;
                        else unflagged++;
                    }
                    channel.basicAck(message.getEnvelope().getDeliveryTag(), false);
                }
            } catch (Exception error) {
                Thread.sleep(50);
            }
        }
        System.out.println("seen " + seen.size() + " flagged " + flagged + " unflagged " + unflagged);
    }

    public static void main(String[] words) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setHost(words[1]);
        factory.setPort(Integer.parseInt(words[2]));
        factory.setRequestedHeartbeat(5);
        factory.setAutomaticRecoveryEnabled(false);
        if (words[0].equals("everyday")) everyday(factory);
        else if (words[0].equals("publish")) publish(factory, words[3], Integer.parseInt(words[4]));
        else consume(factory, words[3], Integer.parseInt(words[4]));
        System.exit(0);
    }
}
