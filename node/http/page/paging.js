// A list that the broker filters, sorts and cuts into pages (20,000 queues never travel at once).
import {tryGet} from "./api.js";
import {count, h, table} from "./dom.js";

const SIZE = 100;
const kept = new Map(); // list -> how it is looked at; survives a refresh and a visit elsewhere

export async function paged(list, place, columns, context) {
    const look = kept.get(list) ?? {page: 1, name: "", regex: false, sort: "", reverse: false};
    kept.set(list, look);
    const change = what => {
        Object.assign(look, what);
        context.redraw();
    };
    const query = new URLSearchParams({
        page: look.page,
        page_size: SIZE,
        name: look.name,
        use_regex: look.regex,
        pagination: true,
    });
    if (look.sort) (query.set("sort", look.sort), query.set("sort_reverse", look.reverse));
    let answer,
        refusal = "";
    try {
        answer = await tryGet(`${place}?${query}`, []);
    } catch (error) {
        if (error.status !== 400) throw error;
        if (look.page > 1) {
            look.page = 1;
            return paged(list, place, columns, context);
        }
        answer = [];
        refusal = error.message;
    }
    const whole = Array.isArray(answer)
        ? {items: answer, page: 1, page_count: 1, total_count: answer.length, filtered_count: answer.length}
        : answer;
    const filter = h("input", {
        type: "search",
        placeholder: "filter by name",
        value: look.name,
        "aria-label": "filter by name",
        onchange: event => change({name: event.target.value, page: 1}),
    });
    const regex = h(
        "label",
        {},
        h("input", {
            type: "checkbox",
            checked: look.regex,
            onchange: event => change({regex: event.target.checked, page: 1}),
        }),
        " regex",
    );
    const turn = (to, word) =>
        h(
            "button",
            {type: "button", disabled: to < 1 || to > whole.page_count, onclick: () => change({page: to})},
            word,
        );
    return [
        h(
            "div",
            {className: "tools"},
            filter,
            regex,
            turn(look.page - 1, "◀"),
            h("span", {}, `page ${whole.page} of ${Math.max(1, whole.page_count)}`),
            turn(look.page + 1, "▶"),
            h("span", {className: "quiet"}, `${count(whole.filtered_count)} of ${count(whole.total_count)}`),
            refusal && h("span", {className: "bad"}, refusal),
        ),
        table(whole.items, columns, {
            sort: look.sort,
            reverse: look.reverse,
            change: (sort, reverse) => change({sort, reverse}),
        }),
    ];
}
