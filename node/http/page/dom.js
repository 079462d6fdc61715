// Building blocks of the page: elements, numbers, charts, tables. Everything a broker says is put in as text, never as HTML.

export function h(tag, properties = {}, ...children) {
    const svg = ["svg", "path", "line", "text"].includes(tag);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
        if (value === undefined || value === null || value === false) continue;
        if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
        else if (key in element && !svg && key !== "list") element[key] = value;
        else element.setAttribute(key === "className" ? "class" : key, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
        if (child === undefined || child === null || child === false) continue;
        element.append(child instanceof Node ? child : String(child));
    }
    return element;
}

export const put = (place, ...children) => place.replaceChildren(...children.flat(Infinity).filter(child => child));

// --- words and numbers ---

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value) {
    if (typeof value !== "number") return "–";
    let at = 0;
    while (value >= 1024 && at < UNITS.length - 1) ((value /= 1024), at++);
    return `${at && value < 100 ? value.toFixed(1) : Math.round(value)} ${UNITS[at]}`;
}

export const count = value => (typeof value === "number" ? value.toLocaleString("en-US") : "–");
export const rate = details =>
    details && typeof details.rate === "number"
        ? `${details.rate < 10 ? details.rate.toFixed(1) : count(Math.round(details.rate))}/s`
        : "";
export const when = milliseconds => (milliseconds ? new Date(milliseconds).toLocaleString("sv") : "–");

export function duration(milliseconds) {
    const seconds = Math.floor((milliseconds || 0) / 1000);
    const [d, hours, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
    return d ? `${d} d ${hours} h` : hours ? `${hours} h ${m} min` : m ? `${m} min ${seconds % 60} s` : `${seconds} s`;
}

export const yes = (value, word = "yes") => (value ? word : "");
export const tags = words => words.filter(Boolean).map(word => h("span", {className: "tag"}, word));
export const plain = value =>
    typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "");

export function facts(object) {
    return h(
        "table",
        {},
        Object.entries(object)
            .filter(([, value]) => value !== undefined && value !== "")
            .map(([key, value]) =>
                h(
                    "tr",
                    {},
                    h("th", {}, key),
                    h("td", {}, value instanceof Node || Array.isArray(value) ? value : plain(value)),
                ),
            ),
    );
}

export const card = (title, value, note) =>
    h("div", {className: "card"}, h("b", {}, value), title, note && h("div", {className: "quiet"}, note));

// --- charts ---

const WIDTH = 460,
    HEIGHT = 130,
    COLOURS = ["--one", "--two", "--three", "--warn", "--bad", "--quiet"];

// `series`: [{name, points: [[ms, value], ...]}, ...]
export function chart(title, series, format = count) {
    const all = series.flatMap(line => line.points);
    const [from, to] = [Math.min(...all.map(p => p[0])), Math.max(...all.map(p => p[0]))];
    const top = Math.max(1, ...all.map(p => p[1]));
    const x = ms => (to > from ? ((ms - from) / (to - from)) * (WIDTH - 10) + 5 : WIDTH - 5);
    const y = value => HEIGHT - 14 - (value / top) * (HEIGHT - 30);
    const lines = series.map((line, at) =>
        h("path", {
            d: line.points.map((p, i) => `${i ? "L" : "M"}${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`).join(""),
            fill: "none",
            "stroke-width": 2,
            stroke: `var(${COLOURS[at % COLOURS.length]})`,
        }),
    );
    const label = h("text", {x: 6, y: 13, "font-size": 11, fill: "var(--quiet)"}, format(Math.round(top)));
    return h(
        "figure",
        {},
        h("figcaption", {}, title),
        h("svg", {className: "chart", width: WIDTH, height: HEIGHT, role: "img", "aria-label": title}, label, lines),
        h(
            "div",
            {className: "legend"},
            series.map((line, at) => {
                const last = line.points.length ? line.points[line.points.length - 1][1] : 0;
                const dot = h("i");
                dot.style.background = `var(${COLOURS[at % COLOURS.length]})`;
                return h("span", {}, dot, `${line.name}: ${format(Math.round(last * 10) / 10)}`);
            }),
        ),
    );
}

// --- tables ---

// `columns`: [{title, cell(row), sort: key of the API or undefined, number}]; `order`: {sort, reverse, change(sort, reverse)}
export function table(rows, columns, order) {
    const head = columns.map(column => {
        const sorted = order && column.sort && order.sort === column.sort;
        return h(
            "th",
            {
                className: `${column.number ? "number" : ""} ${order && column.sort ? "sorts" : ""}`,
                onclick:
                    order && column.sort
                        ? () => order.change(column.sort, sorted ? !order.reverse : Boolean(column.number))
                        : undefined,
            },
            column.title,
            sorted ? (order.reverse ? " ▼" : " ▲") : "",
        );
    });
    const body = rows.map(row =>
        h(
            "tr",
            {},
            columns.map(column =>
                h("td", {className: column.number ? "number" : column.name ? "name" : ""}, column.cell(row)),
            ),
        ),
    );
    return h(
        "div",
        {className: "scroll"},
        h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)),
        rows.length ? "" : h("p", {className: "quiet"}, "There is nothing here."),
    );
}

const read = (row, path) =>
    path.split(".").reduce((value, key) => (value === undefined || value === null ? undefined : value[key]), row);

export function sorted(rows, order) {
    if (!order.sort) return rows;
    const direction = order.reverse ? -1 : 1;
    return [...rows].sort((a, b) => {
        const [left, right] = [read(a, order.sort) ?? "", read(b, order.sort) ?? ""];
        return (
            direction *
            (typeof left === "number" && typeof right === "number"
                ? left - right
                : String(left).localeCompare(String(right)))
        );
    });
}

// --- forms ---

// `fields`: [{name, label, type, value, options, hint}]; `send(values)` may throw; its message is shown.
export function form(title, fields, word, send, danger) {
    const said = h("div");
    const controls = fields.map(field => {
        const common = {
            name: field.name,
            value: field.value ?? "",
            placeholder: field.hint ?? "",
            required: Boolean(field.required),
        };
        if (field.options) {
            const pairs = field.options.map(option => (Array.isArray(option) ? option : [option, option]));
            const select = h("select", {name: field.name}, pairs.map(([value, word]) => h("option", {value}, word)));
            if (field.value !== undefined) select.value = field.value;
            return select;
        }
        if (field.type === "lines") return h("textarea", common);
        if (field.type === "check") return h("input", {type: "checkbox", name: field.name, checked: field.value});
        return h("input", {type: field.type ?? "text", ...common});
    });
    const element = h(
        "form",
        {
            className: "grid",
            onsubmit: async event => {
                event.preventDefault();
                const values = Object.fromEntries(
                    fields.map((field, at) => [
                        field.name,
                        field.type === "check" ? controls[at].checked : controls[at].value,
                    ]),
                );
                try {
                    const answer = await send(values);
                    put(said, h("div", {className: "said good"}, answer instanceof Node ? answer : answer || "Done."));
                    event.target.ownerDocument.activeElement?.blur();
                    document.dispatchEvent(new Event("changed")); // the rest of the view shows it
                } catch (error) {
                    put(said, h("div", {className: "said bad"}, error.message));
                }
            },
        },
        fields.map((field, at) => [h("label", {}, field.label ?? field.name), controls[at]]),
        h("div", {className: "send"}, h("button", {className: danger ? "danger" : ""}, word)),
    );
    return h("details", {"data-keep": title}, h("summary", {}, title), element, said);
}

// `name=value` lines as an object; numbers, true and false have their types, {...} and [...] are JSON.
export function readArguments(text) {
    const object = {};
    for (const line of text
        .split("\n")
        .map(l => l.trim())
        .filter(Boolean)) {
        const at = line.indexOf("=");
        if (at < 1) throw new Error(`"${line}" is not of the form name=value`);
        const value = line.slice(at + 1).trim();
        const typed = /^(-?\d+|true|false|[[{].*|".*")$/.test(value);
        object[line.slice(0, at).trim()] = typed ? JSON.parse(value) : value;
    }
    return object;
}

export function button(word, action, danger, question) {
    return h(
        "button",
        {
            type: "button",
            className: danger ? "danger" : "",
            onclick: async event => {
                if (question && !confirm(question)) return;
                event.target.disabled = true;
                try {
                    await action();
                } catch (error) {
                    alert(error.message);
                } finally {
                    event.target.disabled = false;
                }
            },
        },
        word,
    );
}
