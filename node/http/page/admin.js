// Users, virtual hosts, policies, limits, cluster.
import {call, path, tryGet} from "./api.js";
import {button, count, facts, form, h, plain, readArguments, table, tags, yes} from "./dom.js";
import {vhostNames} from "./exchanges.js";

const PARTS = [
    ["users", "Users", users],
    ["vhosts", "Virtual hosts", vhosts],
    ["policies", "Policies", policies],
    ["limits", "Limits", limits],
    ["cluster", "Cluster", cluster],
];

const remove = (place, question, context) =>
    button(
        "Delete",
        async () => {
            await call("DELETE", place);
            context.redraw();
        },
        true,
        question,
    );

async function users(context) {
    const [list, rights, topics, vhosts] = await Promise.all([
        tryGet("users", []),
        tryGet("permissions", []),
        tryGet("topic-permissions", []),
        vhostNames(),
    ]);
    const names = list.map(u => u.name);
    return [
        h("h1", {}, "Users"),
        ...userList(list, rights, context),
        ...rightsOf("permissions", "Permissions", RIGHTS, rights, names, vhosts, context),
        ...rightsOf("topic-permissions", "Topic permissions", TOPIC_RIGHTS, topics, names, vhosts, context),
    ];
}

function userList(list, rights, context) {
    const words = value => tags(Array.isArray(value) ? value : String(value ?? "").split(","));
    return [
        table(list, [
            {title: "Name", name: true, cell: u => u.name},
            {title: "Tags", cell: u => words(u.tags)},
            {title: "May enter", cell: u => tags(rights.filter(r => r.user === u.name).map(r => r.vhost))},
            {title: "Password", cell: u => yes(u.password_hash, "set")},
            {title: "", cell: u => remove(path("users", u.name), `Delete user ${u.name}?`, context)},
        ]),
        form(
            "Add or change a user",
            [
                {name: "name", label: "Name", required: true},
                {name: "password", label: "Password", type: "password"},
                {name: "tags", label: "Tags", hint: "administrator, monitoring, policymaker, management"},
            ],
            "Save user",
            async v => {
                await call("PUT", path("users", v.name), {password: v.password, tags: v.tags});
                return "Saved. Without permissions the user may enter no virtual host.";
            },
        ),
    ];
}

const RIGHTS = [
    {name: "configure", label: "Configure", value: ".*"},
    {name: "write", label: "Write", value: ".*"},
    {name: "read", label: "Read", value: ".*"},
];
const TOPIC_RIGHTS = [
    {name: "exchange", label: "Exchange", required: true},
    {name: "write", label: "Write", value: ".*"},
    {name: "read", label: "Read", value: ".*"},
];

/** A table of one kind of permissions, and the form that sets one; `fields` are the columns behind user and vhost. */
function rightsOf(kind, title, fields, rows, users, vhosts, context) {
    const what = title.toLowerCase();
    return [
        h("h2", {}, title),
        table(rows, [
            {title: "User", cell: r => r.user},
            {title: "Virtual host", cell: r => r.vhost},
            ...fields.map(({name, label}) => ({title: label, cell: r => r[name]})),
            {
                title: "",
                cell: r => remove(path(kind, r.vhost, r.user), `Take ${r.user}'s ${what} in ${r.vhost}?`, context),
            },
        ]),
        form(
            `Set ${what}`,
            [
                {name: "user", label: "User", options: users},
                {name: "vhost", label: "Virtual host", options: vhosts, value: "/"},
                ...fields,
            ],
            `Set ${what}`,
            async v => {
                await call("PUT", path(kind, v.vhost, v.user), Object.fromEntries(fields.map(f => [f.name, v[f.name]])));
                return "Set.";
            },
        ),
    ];
}

async function vhosts(context) {
    const list = await tryGet("vhosts", []);
    return [
        h("h1", {}, "Virtual hosts"),
        table(list, [
            {title: "Name", name: true, cell: v => v.name},
            {title: "Description", cell: v => v.description ?? ""},
            {title: "Tags", cell: v => tags(v.tags ?? [])},
            {title: "Default queue type", cell: v => v.default_queue_type ?? ""},
            {title: "Ready", number: true, cell: v => count(v.messages_ready)},
            {title: "Unacked", number: true, cell: v => count(v.messages_unacknowledged)},
            {
                title: "",
                cell: v =>
                    v.protected_from_deletion
                        ? "protected"
                        : remove(path("vhosts", v.name), `Delete ${v.name} with all its queues and messages?`, context),
            },
        ]),
        form(
            "Add a virtual host",
            [
                {name: "name", label: "Name", required: true},
                {name: "description", label: "Description"},
                {name: "tags", label: "Tags"},
                {name: "type", label: "Default queue type", options: ["", "classic", "quorum"]},
            ],
            "Add",
            async v => {
                await call("PUT", path("vhosts", v.name), {
                    description: v.description,
                    tags: v.tags,
                    ...(v.type ? {default_queue_type: v.type} : {}),
                });
                return "Added.";
            },
        ),
    ];
}

async function policies(context) {
    const names = await vhostNames();
    const of = async (kind, title) => [
        h("h2", {}, title),
        table(await tryGet(kind, []), [
            {title: "Virtual host", cell: p => p.vhost},
            {title: "Name", name: true, cell: p => p.name},
            {title: "Pattern", name: true, cell: p => p.pattern},
            {title: "Apply to", cell: p => p["apply-to"]},
            {
                title: "Definition",
                name: true,
                cell: p => Object.entries(p.definition ?? {}).map(([k, v]) => h("div", {}, `${k}: ${plain(v)}`)),
            },
            {title: "Priority", number: true, cell: p => plain(p.priority)},
            {title: "", cell: p => remove(path(kind, p.vhost, p.name), `Delete ${p.name}?`, context)},
        ]),
        form(
            kind === "policies" ? "Add or change a policy" : "Add or change an operator policy",
            [
                {name: "vhost", label: "Virtual host", options: names, value: "/"},
                {name: "name", label: "Name", required: true},
                {name: "pattern", label: "Pattern", required: true, hint: "^orders\\."},
                {
                    name: "to",
                    label: "Apply to",
                    options: ["all", "queues", "classic_queues", "quorum_queues", "exchanges"],
                },
                {name: "priority", label: "Priority", type: "number", value: 0},
                {name: "definition", label: "Definition", type: "lines", hint: "max-length=10000\nmessage-ttl=60000"},
            ],
            "Save",
            async v => {
                await call("PUT", path(kind, v.vhost, v.name), {
                    pattern: v.pattern,
                    "apply-to": v.to,
                    priority: Number(v.priority),
                    definition: readArguments(v.definition),
                });
                return "Saved.";
            },
        ),
    ];
    return [
        h("h1", {}, "Policies"),
        await of("policies", "User policies"),
        await of("operator-policies", "Operator policies"),
    ];
}

async function limits(context) {
    const names = await vhostNames();
    const rows = (list, key) =>
        list.flatMap(item => Object.entries(item.value ?? {}).map(([limit, value]) => ({of: item[key], limit, value})));
    const columns = kind => [
        {title: kind === "vhost-limits" ? "Virtual host" : "User", cell: r => r.of},
        {title: "Limit", cell: r => r.limit},
        {title: "Value", number: true, cell: r => plain(r.value)},
        {title: "", cell: r => remove(path(kind, r.of, r.limit), `Remove ${r.limit}?`, context)},
    ];
    const ofVhosts = rows(await tryGet("vhost-limits", []), "vhost"),
        ofUsers = rows(await tryGet("user-limits", []), "user");
    const set = kind => async v => {
        await call("PUT", path(kind, v.of, v.limit), {value: Number(v.value)});
        return "Set.";
    };
    return [
        h("h1", {}, "Limits"),
        h("h2", {}, "Of virtual hosts"),
        table(ofVhosts, columns("vhost-limits")),
        form(
            "Limit a virtual host",
            [
                {name: "of", label: "Virtual host", options: names},
                {name: "limit", label: "Limit", options: ["max-connections", "max-queues"]},
                {name: "value", label: "Value", type: "number", required: true},
            ],
            "Set",
            set("vhost-limits"),
        ),
        h("h2", {}, "Of users"),
        table(ofUsers, columns("user-limits")),
        form(
            "Limit a user",
            [
                {name: "of", label: "User", required: true},
                {name: "limit", label: "Limit", options: ["max-connections", "max-channels"]},
                {name: "value", label: "Value", type: "number", required: true},
            ],
            "Set",
            set("user-limits"),
        ),
    ];
}

async function cluster(context) {
    const [name, flags, nodes] = await Promise.all([
        tryGet("cluster-name", {name: context.overview.cluster_name}),
        tryGet("feature-flags", []),
        tryGet("nodes", []),
    ]);
    return [
        h("h1", {}, "Cluster"),
        facts({Name: name.name, Nodes: nodes.map(n => n.name).join(", ")}),
        form(
            "Rename the cluster",
            [{name: "name", label: "Name", value: name.name, required: true}],
            "Rename",
            async v => {
                await call("PUT", "cluster-name", {name: v.name});
                return "Renamed.";
            },
        ),
        button("Spread leaders", () => call("POST", "rebalance/queues", {})),
        h("h2", {}, "Feature flags"),
        table(flags, [
            {title: "Name", cell: f => f.name},
            {title: "State", cell: f => f.state},
            {title: "Description", name: true, cell: f => f.desc ?? ""},
        ]),
    ];
}

export async function admin([part], context) {
    const here = PARTS.find(p => p[0] === part) ?? PARTS[0];
    return h(
        "div",
        {className: "side"},
        h("section", {}, await here[2](context)),
        h(
            "aside",
            {},
            PARTS.map(([key, title]) =>
                h("a", {href: `#/admin/${key}`, className: key === here[0] ? "here" : ""}, title),
            ),
        ),
    );
}
