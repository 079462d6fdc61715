// The frame: sign-in, navigation, the banner of what is wrong, and the clock that refreshes the view.
import {get, signIn, signOut, signedIn, tryGet} from "./api.js";
import {h, put} from "./dom.js";
import {overview} from "./overview.js";
import {channels, connection, connections} from "./connections.js";
import {exchange, exchanges} from "./exchanges.js";
import {queue, queues} from "./queues.js";
import {admin} from "./admin.js";
import {links} from "./links.js";
import {troubles} from "./troubles.js";

const VIEWS = {overview, connections, connection, channels, exchanges, exchange, queues, queue, links, admin};
const TABS = [
    ["overview", "Overview"],
    ["connections", "Connections"],
    ["channels", "Channels"],
    ["exchanges", "Exchanges"],
    ["queues", "Queues"],
    ["links", "Links"],
    ["admin", "Admin"],
];
const PARENT = {connection: "connections", exchange: "exchanges", queue: "queues"};
const REFRESH_MS = 5000;

const place = id => document.getElementById(id);
let shown = 0; // counts views, so that a slow answer of the view before does not overwrite this one
let me = null;

function route() {
    const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
    return {name: VIEWS[name] ? name : "overview", parts: rest.map(decodeURIComponent)};
}

function drawTop(whole) {
    const here = PARENT[route().name] ?? route().name;
    put(
        place("top"),
        h("a", {className: "name", href: "#/overview"}, "Warren"),
        h("span", {className: "quiet"}, whole ? `cluster ${whole.cluster_name}` : ""),
        h("span", {className: "right"}, me?.name ?? "", h("a", {href: "#", onclick: leave}, "Log out")),
        h(
            "nav",
            {},
            TABS.map(([key, title]) => h("a", {href: `#/${key}`, className: key === here ? "here" : ""}, title)),
        ),
    );
    put(
        place("foot"),
        whole
            ? `${whole.product_name ?? "Warren"} ${whole.product_version ?? ""} · node ${whole.node} · refreshed ${new Date().toLocaleTimeString("sv")}`
            : "",
    );
}

function leave(event) {
    event?.preventDefault();
    signOut();
    location.reload();
}

function askToSignIn(message) {
    put(place("top"), h("span", {className: "name"}, "Warren"));
    put(place("banner"));
    const user = h("input", {name: "user", autocomplete: "username", required: true});
    const password = h("input", {name: "password", type: "password", autocomplete: "current-password"});
    put(
        place("main"),
        h("h1", {}, "Log in"),
        message && h("p", {className: "bad"}, message),
        h(
            "form",
            {
                className: "grid",
                id: "login",
                onsubmit: event => {
                    event.preventDefault();
                    signIn(user.value, password.value);
                    start();
                },
            },
            h("label", {}, "User"),
            user,
            h("label", {}, "Password"),
            password,
            h("div", {className: "send"}, h("button", {}, "Log in")),
        ),
    );
    user.focus();
}

// A refresh never takes away what someone types or has pressed (the click would go nowhere), and keeps forms that are folded
// out, with what they said.
function touched() {
    const active = document.activeElement;
    const typing = active && ["INPUT", "TEXTAREA", "SELECT"].includes(active.tagName) && place("main").contains(active);
    return typing || place("main").querySelector(":active");
}

function show(view) {
    const open = new Map([...document.querySelectorAll("details[open][data-keep]")].map(d => [d.dataset.keep, d]));
    const kept = location.hash === place("main").dataset.hash;
    place("main").dataset.hash = location.hash;
    put(place("main"), view);
    if (!kept) return;
    for (const details of document.querySelectorAll("details[data-keep]")) {
        const before = open.get(details.dataset.keep);
        if (before) details.replaceWith(before);
    }
}

async function drawBanner() {
    const wrong = await troubles();
    put(
        place("banner"),
        wrong.map(t => h("div", {className: t.level}, t.text, " ", t.href && h("a", {href: t.href}, "Look"))),
    );
}

async function draw(fresh) {
    const mine = ++shown,
        {name, parts} = route();
    try {
        const whole = await get("overview");
        if (mine !== shown) return;
        drawTop(whole);
        if (fresh || !touched()) {
            const view = await VIEWS[name](parts, {redraw: () => draw(true), overview: whole, me});
            if (mine === shown && (fresh || !touched())) show(view);
        }
        await drawBanner();
    } catch (error) {
        if (error.status === 401) return askToSignIn("The session is not valid any more.");
        if (mine !== shown) return;
        put(place("banner"), h("div", {className: "bad"}, error.message));
        if (fresh) put(place("main"), h("p", {className: "quiet"}, "Trying again every few seconds."));
    }
}

let clock = null;

async function start() {
    if (!signedIn()) return askToSignIn();
    try {
        me = await tryGet("whoami", {name: ""});
    } catch (error) {
        return askToSignIn(error.message);
    }
    if (me.name === "") {
        signOut();
        return askToSignIn("Login failed.");
    }
    await draw(true);
    clock ??= setInterval(() => document.hidden || !signedIn() || draw(false), REFRESH_MS);
}

document.addEventListener("changed", () => draw(true));
window.addEventListener("hashchange", () => signedIn() && draw(true));
start();
