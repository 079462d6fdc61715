// What an operator looks for at 3 a.m., worst first: nodes that are down, alarms, queues without a leader, links that do not run.
import {tryGet} from "./api.js";
import {bytes} from "./dom.js";

function ofNode(node) {
    if (!node.running) return [{level: "bad", text: `Node ${node.name} is down.`, href: "#/overview"}];
    const found = [];
    if (node.disk_free_alarm)
        found.push({
            level: "bad",
            text: `Node ${node.name} is low on disk (${bytes(node.disk_free)} free): publishers of the whole cluster are blocked.`,
            href: "#/overview",
        });
    if (node.mem_alarm)
        found.push({
            level: "bad",
            text: `Node ${node.name} is above its memory limit (${bytes(node.mem_used)}): publishers of the whole cluster are blocked.`,
            href: "#/overview",
        });
    if (node.being_drained)
        found.push({level: "warn", text: `Node ${node.name} is drained for maintenance.`, href: "#/overview"});
    return found;
}

export async function troubles() {
    const [nodes, health, shovels, federation] = await Promise.all([
        tryGet("nodes", []),
        leaderless(),
        tryGet("shovels", []),
        tryGet("federation-links", []),
    ]);
    const found = nodes.flatMap(ofNode);
    const down = nodes.filter(node => !node.running).length;
    if (nodes.length && down * 2 >= nodes.length)
        found.unshift({
            level: "bad",
            text: `${down} of ${nodes.length} nodes are down: there is no majority, nothing is confirmed.`,
        });
    if (health) found.push({level: "bad", text: health, href: "#/queues"});
    for (const shovel of shovels)
        if (shovel.state === "terminated")
            found.push({level: "warn", text: `Shovel ${shovel.name} does not run.`, href: "#/links"});
    for (const link of federation)
        if (link.status && link.status !== "running")
            found.push({
                level: "warn",
                text: `Federation link to ${link.upstream} is ${link.status}.`,
                href: "#/links",
            });
    return found;
}

async function leaderless() {
    try {
        await tryGet("health/checks/quorum-queues-without-elected-leaders/all-vhosts/", null);
        return "";
    } catch (error) {
        return error.status === 503 ? `There are queues without a leader: ${error.message}` : "";
    }
}
