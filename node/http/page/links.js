// Shovels and federation links: state first, with what keeps one from running.
import {call, path, tryGet} from "./api.js";
import {button, count, form, h, plain, table} from "./dom.js";
import {vhostNames} from "./exchanges.js";

const word = value =>
    h("span", {className: value === "running" ? "good" : value === "starting" ? "warn" : "bad"}, value ?? "unknown");

const SHOVELS = context => [
    {title: "Name", name: true, cell: s => s.name},
    {title: "Virtual host", cell: s => s.vhost ?? ""},
    {title: "Node", cell: s => s.node},
    {
        title: "State",
        cell: s => [
            word(s.state),
            s.blocked_status && s.blocked_status !== "running" ? h("div", {className: "quiet"}, s.blocked_status) : "",
            s.reason ? h("div", {className: "bad"}, s.reason) : "",
        ],
    },
    {
        title: "From",
        name: true,
        cell: s => [s.src_uri, h("div", {className: "quiet"}, s.src_queue ?? s.src_exchange ?? "")],
    },
    {
        title: "To",
        name: true,
        cell: s => [s.dest_uri, h("div", {className: "quiet"}, s.dest_queue ?? s.dest_exchange ?? "")],
    },
    {title: "Remaining", number: true, cell: s => plain(s.remaining)},
    {title: "Pending", number: true, cell: s => count(s.pending)},
    {title: "Since", cell: s => s.timestamp},
    {
        title: "",
        cell: s =>
            s.vhost
                ? [
                      button("Restart", async () => {
                          await call("DELETE", `${path("shovels", "vhost", s.vhost, s.name)}/restart`);
                          context.redraw();
                      }),
                      " ",
                      button(
                          "Delete",
                          async () => {
                              await call("DELETE", path("parameters", "shovel", s.vhost, s.name));
                              context.redraw();
                          },
                          true,
                          `Delete shovel ${s.name}?`,
                      ),
                  ]
                : "",
    },
];

const LINKS = context => [
    {title: "Upstream", name: true, cell: l => l.upstream},
    {title: "Virtual host", cell: l => l.vhost},
    {title: "Of", name: true, cell: l => (l.queue ? `queue ${l.queue}` : `exchange ${l.exchange}`)},
    {title: "URI", name: true, cell: l => l.uri},
    {title: "Node", cell: l => l.node},
    {title: "State", cell: l => [word(l.status), l.error ? h("div", {className: "bad"}, l.error) : ""]},
    {title: "Lag (messages)", number: true, cell: l => count(l.lag_messages)},
    {title: "Lag", number: true, cell: l => (typeof l.lag_seconds === "number" ? `${l.lag_seconds} s` : "–")},
    {title: "Since", cell: l => l.timestamp},
    {
        title: "",
        cell: l =>
            button("Restart", async () => {
                await call("DELETE", `${path("federation-links", "vhost", l.vhost, l.id, l.node)}/restart`);
                context.redraw();
            }),
    },
];

const UPSTREAMS = context => [
    {title: "Name", name: true, cell: u => u.name},
    {title: "Virtual host", cell: u => u.vhost},
    {title: "URI", name: true, cell: u => plain(u.value?.uri)},
    {title: "Settings", name: true, cell: u => plain({...u.value, uri: undefined})},
    {
        title: "",
        cell: u =>
            button(
                "Delete",
                async () => {
                    await call("DELETE", path("parameters", "federation-upstream", u.vhost, u.name));
                    context.redraw();
                },
                true,
                `Delete upstream ${u.name}?`,
            ),
    },
];

const compact = object =>
    Object.fromEntries(Object.entries(object).filter(([, value]) => value !== "" && value !== undefined));

async function addShovel(v) {
    const number = value => (value === "" ? "" : Number(value));
    await call("PUT", path("parameters", "shovel", v.vhost, v.name), {
        value: compact({
            "src-protocol": "amqp091",
            "dest-protocol": "amqp091",
            "src-uri": v.src_uri,
            "src-queue": v.src_queue,
            "dest-uri": v.dest_uri,
            "dest-queue": v.dest_queue,
            "dest-exchange": v.dest_exchange,
            "ack-mode": v.ack,
            "src-prefetch-count": number(v.prefetch),
            "reconnect-delay": number(v.delay),
        }),
    });
    return "Added.";
}

export async function links(parts, context) {
    const [shovels, federation, upstreams, vhosts] = await Promise.all([
        tryGet("shovels", []),
        tryGet("federation-links", []),
        tryGet("parameters/federation-upstream", []),
        vhostNames(),
    ]);
    return [
        h("h1", {}, "Links to other clusters"),
        h("h2", {}, "Shovels"),
        table(shovels, SHOVELS(context)),
        form(
            "Add a shovel",
            [
                {name: "vhost", label: "Virtual host", options: vhosts, value: "/"},
                {name: "name", label: "Name", required: true},
                {name: "src_uri", label: "Source URI", value: "amqp://", required: true},
                {name: "src_queue", label: "Source queue", required: true},
                {name: "dest_uri", label: "Destination URI", value: "amqp://", required: true},
                {name: "dest_queue", label: "Destination queue"},
                {name: "dest_exchange", label: "or exchange"},
                {name: "ack", label: "Ack mode", options: ["on-confirm", "on-publish", "no-ack"]},
                {name: "prefetch", label: "Prefetch", type: "number", hint: "1000"},
                {name: "delay", label: "Reconnect delay (s)", type: "number", hint: "5"},
            ],
            "Add shovel",
            addShovel,
        ),
        h("h2", {}, "Federation links"),
        table(federation, LINKS(context)),
        h("h2", {}, "Federation upstreams"),
        table(upstreams, UPSTREAMS(context)),
        form(
            "Add an upstream",
            [
                {name: "vhost", label: "Virtual host", options: vhosts, value: "/"},
                {name: "name", label: "Name", required: true},
                {name: "uri", label: "URI", required: true, hint: "amqp://user:password@host"},
                {name: "more", label: "Settings", type: "lines", hint: "max-hops=1\nack-mode=on-confirm"},
            ],
            "Add upstream",
            async v => {
                const settings = Object.fromEntries(
                    v.more
                        .split("\n")
                        .map(l => l.split("=").map(w => w.trim()))
                        .filter(([k, w]) => k && w !== undefined)
                        .map(([k, w]) => [k, /^\d+$/.test(w) ? Number(w) : w]),
                );
                await call("PUT", path("parameters", "federation-upstream", v.vhost, v.name), {
                    value: {uri: v.uri, ...settings},
                });
                return "Added. A policy with federation-upstream-set=all makes use of it.";
            },
        ),
    ];
}
