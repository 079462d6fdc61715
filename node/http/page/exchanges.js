// Exchanges: the list, one with its bindings, publish, delete.
import {call, get, path, tryGet} from "./api.js";
import {button, count, facts, form, h, plain, rate, readArguments, table, tags} from "./dom.js";
import {paged} from "./paging.js";

const TYPES = [
    "direct",
    "fanout",
    "topic",
    "headers",
    "x-consistent-hash",
    "x-modulus-hash",
    "x-random",
    "x-local-random",
    "x-recent-history",
    "x-delayed-message",
    "x-message-deduplication",
];

export const exchangeLink = (vhost, name) =>
    h(
        "a",
        {href: `#/exchange/${encodeURIComponent(vhost)}/${encodeURIComponent(name || "amq.default")}`},
        name || "(AMQP default)",
    );
export const queueLink = (vhost, name) =>
    h("a", {href: `#/queue/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}`}, name);
export const features = x =>
    tags([
        x.durable && "D",
        x.auto_delete && "AD",
        x.exclusive && "excl",
        x.internal && "I",
        x.policy && `policy ${x.policy}`,
        x.operator_policy && `operator policy ${x.operator_policy}`,
        ...Object.keys(x.arguments ?? {}).map(key => key.replace(/^x-/, "")),
    ]);

const COLUMNS = [
    {title: "Virtual host", sort: "vhost", cell: x => x.vhost},
    {title: "Name", sort: "name", name: true, cell: x => exchangeLink(x.vhost, x.name)},
    {title: "Type", sort: "type", cell: x => x.type},
    {title: "Features", cell: features},
    {title: "In", number: true, cell: x => rate(x.message_stats?.publish_in_details)},
    {title: "Out", number: true, cell: x => rate(x.message_stats?.publish_out_details)},
];

export async function vhostNames() {
    return (await tryGet("vhosts", [{name: "/"}])).map(v => v.name);
}

export async function exchanges(parts, context) {
    return [
        h("h1", {}, "Exchanges"),
        await paged("exchanges", "exchanges", COLUMNS, context),
        form(
            "Add an exchange",
            [
                {name: "vhost", label: "Virtual host", options: await vhostNames(), value: "/"},
                {name: "name", label: "Name", required: true},
                {name: "type", label: "Type", options: TYPES, value: "direct"},
                {name: "durable", label: "Durable", type: "check", value: true},
                {name: "auto_delete", label: "Auto-delete", type: "check"},
                {name: "internal", label: "Internal", type: "check"},
                {name: "arguments", label: "Arguments", type: "lines", hint: "alternate-exchange=other"},
            ],
            "Add exchange",
            async v => {
                await call("PUT", path("exchanges", v.vhost, v.name), {
                    type: v.type,
                    durable: v.durable,
                    auto_delete: v.auto_delete,
                    internal: v.internal,
                    arguments: readArguments(v.arguments),
                });
                return exchangeLink(v.vhost, v.name);
            },
        ),
    ];
}

export function bindingTable(bindings, outwards, context) {
    return table(bindings, [
        {
            title: outwards ? "To" : "From",
            name: true,
            cell: b =>
                outwards
                    ? b.destination_type === "queue"
                        ? [queueLink(b.vhost, b.destination), " (queue)"]
                        : [exchangeLink(b.vhost, b.destination), " (exchange)"]
                    : exchangeLink(b.vhost, b.source),
        },
        {title: "Routing key", name: true, cell: b => b.routing_key},
        {title: "Arguments", name: true, cell: b => (Object.keys(b.arguments ?? {}).length ? plain(b.arguments) : "")},
        {
            title: "",
            cell: b =>
                b.source === ""
                    ? ""
                    : button("Unbind", async () => {
                          await call(
                              "DELETE",
                              path(
                                  "bindings",
                                  b.vhost,
                                  "e",
                                  b.source,
                                  b.destination_type === "queue" ? "q" : "e",
                                  b.destination,
                                  b.properties_key,
                              ),
                          );
                          context.redraw();
                      }),
        },
    ]);
}

export async function exchange([vhost, name], context) {
    const place = path("exchanges", vhost, name),
        x = await get(place);
    const [outgoing, incoming] = await Promise.all([
        tryGet(`${place}/bindings/source`, []),
        tryGet(`${place}/bindings/destination`, []),
    ]);
    const isDefault = x.name === "";
    return [
        h("h1", {}, `Exchange ${x.name || "(AMQP default)"}`),
        facts({
            "Virtual host": x.vhost,
            Type: x.type,
            Features: features(x),
            Arguments: plain(x.arguments),
            Policy: x.policy,
            "Messages in": x.message_stats
                ? `${count(x.message_stats.publish_in)} ${rate(x.message_stats.publish_in_details)}`
                : undefined,
        }),
        h("h2", {}, "Bindings"),
        isDefault
            ? h("p", {className: "quiet"}, "Every queue is bound to the default exchange with its name.")
            : [
                  h("p", {className: "quiet"}, "To this exchange:"),
                  bindingTable(incoming, false, context),
                  h("p", {className: "quiet"}, "From this exchange:"),
                  bindingTable(outgoing, true, context),
                  form(
                      "Add a binding from this exchange",
                      [
                          {
                              name: "kind",
                              label: "To",
                              options: [
                                  ["q", "queue"],
                                  ["e", "exchange"],
                              ],
                              value: "q",
                          },
                          {name: "to", label: "Name", required: true},
                          {name: "key", label: "Routing key"},
                          {name: "arguments", label: "Arguments", type: "lines", hint: "x-match=all"},
                      ],
                      "Bind",
                      async v => {
                          await call("POST", path("bindings", vhost, "e", x.name, v.kind, v.to), {
                              routing_key: v.key,
                              arguments: readArguments(v.arguments),
                          });
                          return "Bound.";
                      },
                  ),
              ],
        publishForm(vhost, x.name, ""),
        isDefault
            ? ""
            : h(
                  "p",
                  {},
                  button(
                      "Delete this exchange",
                      async () => {
                          await call("DELETE", place);
                          location.hash = "#/exchanges";
                      },
                      true,
                      `Delete exchange ${x.name}?`,
                  ),
              ),
    ];
}

export function publishForm(vhost, exchangeName, key) {
    return form(
        "Publish a message",
        [
            {name: "key", label: "Routing key", value: key},
            {name: "persistent", label: "Persistent", type: "check", value: true},
            {name: "headers", label: "Headers", type: "lines", hint: "name=value"},
            {name: "properties", label: "Properties", type: "lines", hint: "content_type=text/plain"},
            {name: "payload", label: "Payload", type: "lines"},
        ],
        "Publish",
        async v => {
            const properties = {
                ...readArguments(v.properties),
                delivery_mode: v.persistent ? 2 : 1,
                headers: readArguments(v.headers),
            };
            const answer = await call("POST", `${path("exchanges", vhost, exchangeName || "amq.default")}/publish`, {
                properties,
                routing_key: v.key,
                payload: v.payload,
                payload_encoding: "string",
            });
            if (!answer.routed) throw new Error("Published, but not routed to any queue.");
            return "Published and routed.";
        },
    );
}
