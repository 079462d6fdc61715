// Queues: the list, and one with its charts, replicas, consumers, bindings, publish, get, purge, delete.
import {call, get, path, tryGet} from "./api.js";
import {
    bytes,
    button,
    card,
    chart,
    count,
    facts,
    form,
    h,
    plain,
    rate,
    readArguments,
    table,
    when,
} from "./dom.js";
import {bindingTable, features, publishForm, queueLink, vhostNames} from "./exchanges.js";
import {paged} from "./paging.js";

function state(q) {
    const online = q.online?.length,
        members = q.members?.length;
    if (!q.leader && members) return h("span", {className: "bad"}, "no leader");
    if (members && online < members) return h("span", {className: "warn"}, `${online} of ${members} replicas`);
    return h("span", {className: "good"}, q.state ?? "running");
}

const COLUMNS = [
    {title: "Virtual host", sort: "vhost", cell: q => q.vhost},
    {title: "Name", sort: "name", name: true, cell: q => queueLink(q.vhost, q.name)},
    {title: "Leader", sort: "node", cell: q => q.leader ?? q.node ?? ""},
    {title: "Features", cell: features},
    {title: "State", sort: "state", cell: state},
    {title: "Ready", sort: "messages_ready", number: true, cell: q => count(q.messages_ready)},
    {title: "Unacked", sort: "messages_unacknowledged", number: true, cell: q => count(q.messages_unacknowledged)},
    {title: "Total", sort: "messages", number: true, cell: q => count(q.messages)},
    {title: "Consumers", sort: "consumers", number: true, cell: q => count(q.consumers)},
    {
        title: "In",
        sort: "message_stats.publish_details.rate",
        number: true,
        cell: q => rate(q.message_stats?.publish_details),
    },
    {
        title: "Deliver / get",
        sort: "message_stats.deliver_get_details.rate",
        number: true,
        cell: q => rate(q.message_stats?.deliver_get_details),
    },
    {title: "Ack", sort: "message_stats.ack_details.rate", number: true, cell: q => rate(q.message_stats?.ack_details)},
];

export async function queues(parts, context) {
    return [
        h("h1", {}, "Queues"),
        await paged("queues", "queues", COLUMNS, context),
        form(
            "Add a queue",
            [
                {name: "vhost", label: "Virtual host", options: await vhostNames(), value: "/"},
                {name: "name", label: "Name", required: true},
                {name: "durable", label: "Durable", type: "check", value: true},
                {name: "auto_delete", label: "Auto-delete", type: "check"},
                {
                    name: "arguments",
                    label: "Arguments",
                    type: "lines",
                    hint: "x-message-ttl=60000\nx-dead-letter-exchange=dead",
                },
            ],
            "Add queue",
            async v => {
                await call("PUT", path("queues", v.vhost, v.name), {
                    durable: v.durable,
                    auto_delete: v.auto_delete,
                    arguments: readArguments(v.arguments),
                });
                return queueLink(v.vhost, v.name);
            },
        ),
    ];
}

// --- one queue ---

const samples = new Map(); // "vhost/name" -> [[ms, queue], ...]

function remember(q) {
    const key = path(q.vhost, q.name),
        list = samples.get(key) ?? [];
    if (!samples.has(key) && samples.size > 20) samples.delete(samples.keys().next().value);
    samples.set(key, list);
    list.push([Date.now(), q]);
    if (list.length > 120) list.shift();
    return list;
}

function charts(q) {
    const list = remember(q),
        line = (name, value) => ({name, points: list.map(([ms, sample]) => [ms, value(sample) ?? 0])});
    const stat = key => sample => sample.message_stats?.[`${key}_details`]?.rate;
    return h(
        "div",
        {className: "charts"},
        chart("Queued messages", [
            line("ready", s => s.messages_ready),
            line("unacked", s => s.messages_unacknowledged),
            line("total", s => s.messages),
        ]),
        chart("Message rates, per second", [
            line("publish", stat("publish")),
            line("deliver + get", stat("deliver_get")),
            line("ack", stat("ack")),
            line("redelivered", stat("redeliver")),
        ]),
    );
}

function replicas(q) {
    const rows = (q.members ?? []).map(name => ({name, leads: name === q.leader, online: q.online?.includes(name)}));
    return rows.length
        ? [
              h("h2", {}, "Replicas"),
              table(rows, [
                  {title: "Node", cell: r => r.name},
                  {title: "Role", cell: r => (r.leads ? "leader" : "follower")},
                  {
                      title: "State",
                      cell: r =>
                          r.online ? h("span", {className: "good"}, "online") : h("span", {className: "bad"}, "down"),
                  },
              ]),
          ]
        : "";
}

function consumers(q) {
    return [
        h("h2", {}, `Consumers (${count(q.consumers)})`),
        table(q.consumer_details ?? [], [
            {title: "Tag", name: true, cell: c => c.consumer_tag},
            {
                title: "Channel",
                name: true,
                cell: c =>
                    c.channel_details?.connection_name
                        ? h(
                              "a",
                              {href: `#/connection/${encodeURIComponent(c.channel_details.connection_name)}`},
                              c.channel_details.name,
                          )
                        : (c.channel_details?.name ?? ""),
            },
            {title: "Acks", cell: c => (c.ack_required ? "yes" : "no")},
            {title: "Exclusive", cell: c => (c.exclusive ? "yes" : "no")},
            {title: "Prefetch", number: true, cell: c => count(c.prefetch_count)},
            {title: "State", cell: c => c.activity_status ?? (c.active === false ? "waiting" : "up")},
            {
                title: "Arguments",
                name: true,
                cell: c => (Object.keys(c.arguments ?? {}).length ? plain(c.arguments) : ""),
            },
        ]),
    ];
}

function messageView(m) {
    return h(
        "div",
        {className: "said"},
        facts({
            Exchange: m.exchange || "(AMQP default)",
            "Routing key": m.routing_key,
            Redelivered: m.redelivered ? "yes" : "no",
            Properties: plain(m.properties),
            "Left in the queue": count(m.message_count),
        }),
        h("div", {className: "quiet"}, `Payload, ${bytes(m.payload_bytes)}, ${m.payload_encoding}`),
        h("pre", {}, m.payload),
    );
}

function getForm(vhost, name) {
    const MODES = [
        ["ack_requeue_true", "Nack, put back"],
        ["ack_requeue_false", "Ack, take away"],
        ["reject_requeue_true", "Reject, put back"],
        ["reject_requeue_false", "Reject, dead-letter or drop"],
    ];
    return [
        form(
            "Get messages",
            [
                {name: "ackmode", label: "What becomes of them", options: MODES, value: "ack_requeue_true"},
                {
                    name: "encoding",
                    label: "Payload as",
                    options: [
                        ["auto", "text, else base64"],
                        ["base64", "base64"],
                    ],
                },
                {name: "count", label: "How many", type: "number", value: 1},
            ],
            "Get",
            async v => {
                const messages = await call("POST", `${path("queues", vhost, name)}/get`, {
                    count: Number(v.count),
                    ackmode: v.ackmode,
                    encoding: v.encoding,
                    truncate: 50000,
                });
                return messages.length ? h("div", {}, messages.map(messageView)) : "The queue is empty.";
            },
        ),
    ];
}

export async function queue([vhost, name], context) {
    const place = path("queues", vhost, name),
        q = await get(place);
    const bindings = await tryGet(`${place}/bindings`, []);
    return [
        h("h1", {}, `Queue ${q.name}`),
        h(
            "div",
            {className: "cards"},
            card("ready", count(q.messages_ready)),
            card("unacked", count(q.messages_unacknowledged)),
            card("total", count(q.messages)),
            card("bytes", bytes(q.message_bytes)),
            card("consumers", count(q.consumers)),
        ),
        h("h2", {}, "Now"),
        charts(q),
        h("h2", {}, "Details"),
        facts({
            "Virtual host": q.vhost,
            State: state(q),
            Leader: q.leader,
            Features: features(q),
            Arguments: plain(q.arguments),
            Policy: q.policy,
            "Operator policy": q.operator_policy,
            "Effective policy": Object.keys(q.effective_policy_definition ?? {}).length
                ? plain(q.effective_policy_definition)
                : undefined,
            "Exclusive to": q.owner_pid_details?.name,
            "Consumer utilisation":
                typeof q.consumer_capacity === "number" ? `${Math.round(q.consumer_capacity * 100)} %` : undefined,
            "Bytes ready / unacked": `${bytes(q.message_bytes_ready)} / ${bytes(q.message_bytes_unacknowledged)}`,
            "Idle since": q.idle_since ? when(Date.parse(q.idle_since)) : undefined,
        }),
        replicas(q),
        consumers(q),
        h("h2", {}, "Bindings"),
        bindingTable(bindings, false, context),
        form(
            "Add a binding to this queue",
            [
                {name: "from", label: "From exchange", required: true},
                {name: "key", label: "Routing key"},
                {name: "arguments", label: "Arguments", type: "lines"},
            ],
            "Bind",
            async v => {
                await call("POST", path("bindings", vhost, "e", v.from, "q", name), {
                    routing_key: v.key,
                    arguments: readArguments(v.arguments),
                });
                return "Bound.";
            },
        ),
        publishForm(vhost, "", name),
        getForm(vhost, name),
        h(
            "p",
            {className: "tools"},
            button(
                "Purge",
                async () => {
                    await call("DELETE", `${place}/contents`);
                    context.redraw();
                },
                true,
                `Throw away all ready messages of ${name}?`,
            ),
            button(
                "Delete this queue",
                async () => {
                    await call("DELETE", place);
                    location.hash = "#/queues";
                },
                true,
                `Delete queue ${name} with its messages?`,
            ),
        ),
    ];
}
