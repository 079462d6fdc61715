# AnyEvent::RabbitMQ of Perl. usage: perl anyevent_client.pl everyday HOST PORT
use strict;
use warnings;
use AnyEvent;
use AnyEvent::RabbitMQ;

my (undef, $host, $port) = @ARGV;
my $limit = 20;
$| = 1;

# Calls a method with callbacks and waits: its answer, or the end.
sub wait_for {
    my ($what, $work) = @_;
    my $done = AnyEvent->condvar;
    my $timer = AnyEvent->timer(after => $limit, cb => sub { $done->croak("$what: no answer") });
    $work->(sub { $done->send(@_) }, sub { $done->croak("$what: " . join(' ', map { ref $_ ? 'refused' : $_ // '' } @_)) });
    return $done->recv;
}

sub ok { print "ok: $_[0]\n" }

sub check { die "$_[1]\n" unless $_[0] }

my $rabbit = AnyEvent::RabbitMQ->new->load_xml_spec;
wait_for('connect', sub {
    $rabbit->connect(host => $host, port => $port, user => 'guest', pass => 'guest', vhost => '/', timeout => 5, tune => { heartbeat => 10 },
        on_success => $_[0], on_failure => $_[1], on_read_failure => sub { die @_ }, on_close => sub { });
});
my $channel = wait_for('channel', sub { $rabbit->open_channel(on_success => $_[0], on_failure => $_[1], on_close => sub { }) });
sub on_channel {
    my ($method, %arguments) = @_;
    return wait_for($method, sub { $channel->$method(%arguments, on_success => $_[0], on_failure => $_[1]) });
}

on_channel('declare_exchange', exchange => 'perl.x', type => 'topic', durable => 1);
my $declared = on_channel('declare_queue', queue => 'perl.q', durable => 1);
check($declared->method_frame->message_count == 0, 'the queue is not empty');
on_channel('bind_queue', queue => 'perl.q', exchange => 'perl.x', routing_key => 'orders.#');
ok('declare and bind');

on_channel('confirm');
for my $at (0 .. 19) {
    wait_for('publish', sub {
        $channel->publish(exchange => 'perl.x', routing_key => "orders.$at", body => "$at", header => { delivery_mode => 2, headers => { at => $at } },
            on_ack => $_[0], on_nack => $_[1], on_return => $_[1]);
    });
}
ok('publish with confirms');

wait_for('return', sub {
    my ($success) = @_;
    $channel->publish(exchange => 'perl.x', routing_key => 'nobody', body => '?', mandatory => 1, on_return => $success);
});
ok('mandatory return');

on_channel('qos', prefetch_count => 3);
my %seen; # nothing is requeued: Net::AMQP cannot read 64-bit integers, as x-delivery-count is one (RabbitMQ's too)
my $tag;
wait_for('deliveries', sub {
    my ($success, $failure) = @_;
    $channel->consume(queue => 'perl.q', no_ack => 0, on_failure => $failure,
        on_success => sub { $tag = $_[0]->method_frame->consumer_tag },
        on_consume => sub {
            my $message = shift;
            my ($at, $delivery) = ($message->{body}->payload, $message->{deliver}->method_frame);
            return $failure->("headers of $at") if $message->{header}->headers->{at} != $at;
            return $failure->("flag of $at") if $delivery->redelivered || $seen{$at}++;
            if ($at % 7 == 0) { $channel->reject(delivery_tag => $delivery->delivery_tag, requeue => 0) }
            else { $channel->ack(delivery_tag => $delivery->delivery_tag) }
            $success->() if keys %seen == 20;
        });
});
on_channel('cancel', consumer_tag => $tag);
ok('consume with prefetch, ack, reject');

my $got = on_channel('get', queue => 'perl.q');
check(exists $got->{empty}, 'something is left');
ok('get of nothing');
on_channel('delete_queue', queue => 'perl.q');
on_channel('delete_exchange', exchange => 'perl.x');
ok('clean up');
wait_for('close', sub { $rabbit->close(on_success => $_[0], on_failure => $_[1]) });
