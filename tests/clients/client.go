// amqp091-go. usage: client everyday HOST PORT | publish|consume HOST PORT QUEUE COUNT
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const patience = 60 * time.Second

func ok(name string) { fmt.Println("ok:", name) }

func check(err error, holds bool, what string) {
	if err != nil || !holds {
		fmt.Println("failed:", what, err)
		os.Exit(1)
	}
}

func everyday(url string) {
	connection, err := amqp.Dial(url)
	check(err, true, "dial")
	channel, err := connection.Channel()
	check(err, true, "channel")
	check(channel.ExchangeDeclare("go.x", "topic", true, false, false, false, nil), true, "exchange")
	queue, err := channel.QueueDeclare("go.q", true, false, false, false, nil)
	check(err, queue.Messages == 0, "queue")
	check(channel.QueueBind("go.q", "orders.#", "go.x", false, nil), true, "bind")
	ok("declare and bind")
	check(channel.Confirm(false), true, "confirm")
	for at := 0; at < 20; at++ {
		confirmed, err := channel.PublishWithDeferredConfirmWithContext(context.Background(), "go.x", fmt.Sprintf("orders.%d", at), false, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Headers: amqp.Table{"at": int32(at)}, Body: []byte(strconv.Itoa(at))})
		check(err, confirmed.Wait(), "publish")
	}
	ok("publish with confirms")
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	check(channel.PublishWithContext(context.Background(), "go.x", "nobody", true, false, amqp.Publishing{Body: []byte("?")}), true, "publish")
	returned := <-returns
	check(nil, returned.ReplyCode == 312, "return")
	ok("mandatory return")
	check(channel.Qos(3, 0, false), true, "qos")
	deliveries, err := channel.Consume("go.q", "c", false, false, false, false, nil)
	check(err, true, "consume")
	seen := map[int]bool{}
	for len(seen) < 20 {
		select {
		case delivery := <-deliveries:
			at, err := strconv.Atoi(string(delivery.Body))
			check(err, delivery.Headers["at"] == int32(at), "header")
			if at%7 == 0 && !delivery.Redelivered {
				check(delivery.Nack(false, true), true, "nack")
				continue
			}
			seen[at] = true
			check(delivery.Ack(false), true, "ack")
		case <-time.After(10 * time.Second):
			check(nil, false, "no more messages")
		}
	}
	check(channel.Cancel("c", false), true, "cancel")
	ok("consume with prefetch, ack, nack, cancel")
	large := bytes.Repeat([]byte{0xce}, 1000000)
	confirmed, err := channel.PublishWithDeferredConfirmWithContext(context.Background(), "", "go.q", false, false, amqp.Publishing{Body: large})
	check(err, confirmed.Wait(), "publish large")
	got, there, err := channel.Get("go.q", true)
	check(err, there && bytes.Equal(got.Body, large), "get")
	_, there, err = channel.Get("go.q", true)
	check(err, !there, "get of nothing")
	ok("get, large body")
	_, err = channel.QueueDelete("go.q", false, false, false)
	check(err, true, "delete")
	check(channel.ExchangeDelete("go.x", false, false), true, "delete")
	ok("clean up")
	check(connection.Close(), true, "close")
}

func publishSome(url, queue string, number, count int) int {
	connection, err := amqp.Dial(url)
	if err != nil {
		return number
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil || channel.Confirm(false) != nil {
		return number
	}
	if _, err = channel.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return number
	}
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, 1))
	for number < count {
		err = channel.PublishWithContext(context.Background(), "", queue, false, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(strconv.Itoa(number))})
		if err != nil {
			return number
		}
		select {
		case confirmation, there := <-confirms:
			if !there || !confirmation.Ack {
				return number
			}
			number++
		case <-closed:
			return number
		}
	}
	return number
}

func publish(url, queue string, count int) {
	number, reconnects := publishSome(url, queue, 0, count), 0
	for number < count {
		reconnects++
		time.Sleep(50 * time.Millisecond)
		number = publishSome(url, queue, number, count)
	}
	fmt.Println("confirmed", number, "reconnects", reconnects)
}

func consume(url, queue string, count int) {
	seen := map[int]bool{}
	flagged, unflagged := 0, 0
	end := time.Now().Add(patience)
	for len(seen) < count && time.Now().Before(end) {
		connection, err := amqp.Dial(url)
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		channel, err := connection.Channel()
		var deliveries <-chan amqp.Delivery
		if err == nil {
			_, err = channel.QueueDeclare(queue, true, false, false, false, nil)
		}
		if err == nil {
			err = channel.Qos(50, 0, false)
		}
		if err == nil {
			deliveries, err = channel.Consume(queue, "", false, false, false, false, nil)
		}
		for err == nil && len(seen) < count && time.Now().Before(end) {
			select {
			case delivery, there := <-deliveries:
				if !there {
					err = amqp.ErrClosed
					break
				}
				number, _ := strconv.Atoi(string(delivery.Body))
				if seen[number] && delivery.Redelivered {
					flagged++
				} else if seen[number] {
					unflagged++
				}
				seen[number] = true
				err = delivery.Ack(false)
			case <-time.After(time.Second):
			}
		}
		connection.Close()
	}
	fmt.Println("seen", len(seen), "flagged", flagged, "unflagged", unflagged)
}

func main() {
	url := fmt.Sprintf("amqp://guest:guest@%s:%s/", os.Args[2], os.Args[3])
	if os.Args[1] == "everyday" {
		everyday(url)
		return
	}
	count, _ := strconv.Atoi(os.Args[5])
	if os.Args[1] == "publish" {
		publish(url, os.Args[4], count)
	} else {
		consume(url, os.Args[4], count)
	}
}
