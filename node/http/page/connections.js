// Connections and channels.
import {call, get, path, tryGet} from "./api.js";
import {button, bytes, count, facts, h, plain, rate, table, tags, when} from "./dom.js";
import {paged} from "./paging.js";

const link = name => h("a", {href: `#/connection/${encodeURIComponent(name)}`}, name);

const CONNECTION_COLUMNS = [
    {
        title: "Name",
        sort: "name",
        name: true,
        cell: c => [link(c.name), c.user_provided_name ? h("div", {className: "quiet"}, c.user_provided_name) : ""],
    },
    {title: "Virtual host", sort: "vhost", cell: c => c.vhost},
    {title: "User", sort: "user", cell: c => c.user},
    {title: "Node", sort: "node", cell: c => c.node},
    {
        title: "State",
        sort: "state",
        cell: c => h("span", {className: c.state === "running" ? "good" : "warn"}, c.state ?? ""),
    },
    {title: "TLS", sort: "ssl", cell: c => (c.ssl ? c.ssl_protocol || "yes" : "no")},
    {title: "Protocol", cell: c => c.protocol},
    {title: "Channels", sort: "channels", number: true, cell: c => count(c.channels)},
    {
        title: "From client",
        sort: "recv_oct",
        number: true,
        cell: c => [
            bytes(c.recv_oct),
            h("div", {className: "quiet"}, c.recv_oct_details ? `${bytes(c.recv_oct_details.rate)}/s` : ""),
        ],
    },
    {
        title: "To client",
        sort: "send_oct",
        number: true,
        cell: c => [
            bytes(c.send_oct),
            h("div", {className: "quiet"}, c.send_oct_details ? `${bytes(c.send_oct_details.rate)}/s` : ""),
        ],
    },
];

const CHANNEL_COLUMNS = [
    {title: "Channel", sort: "name", name: true, cell: c => c.name},
    {title: "Connection", name: true, cell: c => (c.connection_details?.name ? link(c.connection_details.name) : "")},
    {title: "User", sort: "user", cell: c => c.user},
    {title: "Virtual host", sort: "vhost", cell: c => c.vhost},
    {title: "Mode", cell: c => tags([c.confirm && "confirm", c.transactional && "tx"])},
    {title: "State", sort: "state", cell: c => c.state},
    {title: "Unconfirmed", sort: "messages_unconfirmed", number: true, cell: c => count(c.messages_unconfirmed)},
    {
        title: "Prefetch",
        sort: "prefetch_count",
        number: true,
        cell: c => [
            count(c.prefetch_count),
            c.global_prefetch_count ? h("div", {className: "quiet"}, `${count(c.global_prefetch_count)} global`) : "",
        ],
    },
    {title: "Unacked", sort: "messages_unacknowledged", number: true, cell: c => count(c.messages_unacknowledged)},
    {title: "Consumers", sort: "consumer_count", number: true, cell: c => count(c.consumer_count)},
    {title: "Publish", number: true, cell: c => rate(c.message_stats?.publish_details)},
    {title: "Confirm", number: true, cell: c => rate(c.message_stats?.confirm_details)},
    {title: "Deliver / get", number: true, cell: c => rate(c.message_stats?.deliver_get_details)},
    {title: "Ack", number: true, cell: c => rate(c.message_stats?.ack_details)},
];

export async function connections(parts, context) {
    return [h("h1", {}, "Connections"), await paged("connections", "connections", CONNECTION_COLUMNS, context)];
}

export async function channels(parts, context) {
    return [h("h1", {}, "Channels"), await paged("channels", "channels", CHANNEL_COLUMNS, context)];
}

export async function connection([name], context) {
    const c = await get(`connections/${encodeURIComponent(name)}`);
    const own = await tryGet(`connections/${encodeURIComponent(name)}/channels`, []);
    const properties = {...c.client_properties};
    const capabilities = Object.keys(properties.capabilities ?? {}).filter(key => properties.capabilities[key]);
    delete properties.capabilities;
    return [
        h("h1", {}, `Connection ${c.name}`),
        facts({
            "Client's name": c.user_provided_name,
            Node: c.node,
            User: c.user,
            "Virtual host": c.vhost,
            State: c.state,
            Protocol: c.protocol,
            Mechanism: c.auth_mechanism,
            TLS: c.ssl ? `${c.ssl_protocol ?? ""} ${c.ssl_cipher ?? ""}` : "no",
            Certificate: c.peer_cert_subject,
            "Connected at": when(c.connected_at),
            Heartbeat: c.timeout ? `${c.timeout} s` : "none",
            "Largest frame": bytes(c.frame_max),
            Channels: `${count(c.channels)} of ${count(c.channel_max)}`,
            "From client": bytes(c.recv_oct),
            "To client": bytes(c.send_oct),
        }),
        h("h2", {}, "Channels"),
        table(own, CHANNEL_COLUMNS),
        h("h2", {}, "Client properties"),
        facts({
            ...Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, plain(v)])),
            capabilities: tags(capabilities),
        }),
        h(
            "p",
            {},
            button(
                "Close this connection",
                async () => {
                    await call("DELETE", path("connections", name), undefined, {
                        "X-Reason": "Closed via management page",
                    });
                    location.hash = "#/connections";
                },
                true,
                `Close ${name}?`,
            ),
        ),
    ];
}
