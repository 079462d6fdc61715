// Totals, live rates, nodes, ports; definitions at the end, as RabbitMQ's users expect.
import {call, get, tryGet} from "./api.js";
import {bytes, card, chart, count, duration, form, h, rate, table} from "./dom.js";

const LAG_TO_WORRY = 1000; // entries
const KEPT = 120; // samples: ten minutes
const samples = []; // [ms, overview]

function remember(overview) {
    const last = samples[samples.length - 1];
    if (last && Date.now() - last[0] < 2000) return;
    samples.push([Date.now(), overview]);
    if (samples.length > KEPT) samples.shift();
}

const series = (names, value) =>
    names.map(([key, name]) => ({name, points: samples.map(([ms, o]) => [ms, value(o, key) ?? 0])}));

function totals(o) {
    const t = o.object_totals ?? {},
        q = o.queue_totals ?? {};
    return h(
        "div",
        {className: "cards"},
        card("ready", count(q.messages_ready)),
        card("unacked", count(q.messages_unacknowledged)),
        card("total", count(q.messages)),
        card("connections", count(t.connections)),
        card("channels", count(t.channels)),
        card("consumers", count(t.consumers)),
        card("queues", count(t.queues)),
        card("exchanges", count(t.exchanges)),
    );
}

function charts() {
    return h(
        "div",
        {className: "charts"},
        chart(
            "Queued messages",
            series(
                [
                    ["messages_ready", "ready"],
                    ["messages_unacknowledged", "unacked"],
                    ["messages", "total"],
                ],
                (o, key) => o.queue_totals?.[key],
            ),
        ),
        chart(
            "Message rates, per second",
            series(
                [
                    ["publish", "publish"],
                    ["confirm", "confirm"],
                    ["deliver_get", "deliver + get"],
                    ["ack", "ack"],
                    ["redeliver", "redelivered"],
                    ["return_unroutable", "returned"],
                ],
                (o, key) => o.message_stats?.[`${key}_details`]?.rate,
            ),
        ),
    );
}

const share = (used, total) => (total ? h("div", {className: "quiet"}, `of ${count(total)}`) : "");

const NODE_COLUMNS = [
    {title: "Name", name: true, cell: n => [n.name, n.being_drained ? h("div", {className: "warn"}, "drained") : ""]},
    {
        title: "State",
        cell: n => (n.running ? h("span", {className: "good"}, "running") : h("span", {className: "bad"}, "down")),
    },
    {title: "Leads", number: true, cell: n => count(n.groups_led)},
    {
        title: "Lag (entries)",
        number: true,
        cell: n =>
            n.running ? h("span", {className: n.lag > LAG_TO_WORRY ? "warn" : ""}, count(n.lag)) : "",
    },
    {
        title: "Memory",
        number: true,
        cell: n => [
            h("span", {className: n.mem_alarm ? "bad" : ""}, bytes(n.mem_used)),
            n.mem_limit ? h("div", {className: "quiet"}, `of ${bytes(n.mem_limit)}`) : "",
        ],
    },
    {
        title: "Free disk",
        number: true,
        cell: n => [
            h("span", {className: n.disk_free_alarm ? "bad" : ""}, bytes(n.disk_free)),
            n.disk_free_limit ? h("div", {className: "quiet"}, `alarm below ${bytes(n.disk_free_limit)}`) : "",
        ],
    },
    {title: "Descriptors", number: true, cell: n => [count(n.fd_used), share(n.fd_used, n.fd_total)]},
    {title: "Sockets", number: true, cell: n => count(n.sockets_used)},
    {title: "Uptime", number: true, cell: n => (n.running ? duration(n.uptime) : "")},
    {title: "Cores", number: true, cell: n => count(n.processors)},
];

function ports(o) {
    const rows = [...(o.listeners ?? [])];
    return rows.length
        ? [
              h("h2", {}, "Ports"),
              table(rows, [
                  {title: "Node", cell: l => l.node},
                  {title: "Protocol", cell: l => l.protocol},
                  {title: "Bound to", cell: l => l.ip_address},
                  {title: "Port", number: true, cell: l => String(l.port)},
              ]),
          ]
        : "";
}

function churn(o) {
    const c = o.churn_rates;
    if (!c) return "";
    const row = (name, ...keys) => ({
        name,
        made: c[keys[0]],
        madeRate: c[`${keys[0]}_details`],
        gone: c[keys[1]],
        goneRate: c[`${keys[1]}_details`],
    });
    return [
        h("h2", {}, "Churn"),
        table(
            [
                row("Connections", "connection_created", "connection_closed"),
                row("Channels", "channel_created", "channel_closed"),
                row("Queues", "queue_declared", "queue_deleted"),
            ],
            [
                {title: "", cell: r => r.name},
                {title: "Opened", number: true, cell: r => count(r.made)},
                {title: "", cell: r => rate(r.madeRate)},
                {title: "Closed", number: true, cell: r => count(r.gone)},
                {title: "", cell: r => rate(r.goneRate)},
            ],
        ),
    ];
}

async function save() {
    const text = JSON.stringify(await get("definitions"), null, 2);
    const link = h("a", {
        href: URL.createObjectURL(new Blob([text], {type: "application/json"})),
        download: `warren_definitions_${new Date().toISOString().slice(0, 10)}.json`,
    });
    link.click();
    return "The file is in the browser's downloads.";
}

// Leaders tell how far each follower is behind them.
function addLag(nodes) {
    for (const node of nodes) node.lag = nodes.reduce((sum, other) => sum + (other.follower_lag?.[node.name] ?? 0), 0);
    return nodes;
}

export async function overview(parts, context) {
    remember(context.overview);
    const nodes = addLag(await tryGet("nodes", []));
    return [
        h("h1", {}, "Overview"),
        totals(context.overview),
        h("h2", {}, "Now"),
        charts(),
        h("h2", {}, "Nodes"),
        table(nodes, NODE_COLUMNS),
        churn(context.overview),
        ports(context.overview),
        form("Export definitions", [], "Download", save),
        form(
            "Import definitions",
            [{name: "text", label: "Definitions (JSON)", type: "lines", required: true}],
            "Import",
            async values => {
                await call("POST", "definitions", JSON.parse(values.text));
                return "Imported.";
            },
        ),
    ];
}
