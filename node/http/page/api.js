// Calls of the HTTP API. The credentials live in this tab only, and go into the Authorization header, never into a cookie.

const KEY = "warren.credentials";

export class Refused extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

export const signedIn = () => sessionStorage.getItem(KEY) !== null;
export const signOut = () => sessionStorage.removeItem(KEY);

export function signIn(user, password) {
    const utf8 = String.fromCharCode(...new TextEncoder().encode(`${user}:${password}`));
    sessionStorage.setItem(KEY, btoa(utf8));
}

export async function call(method, path, body, headers = {}) {
    let response;
    try {
        response = await fetch(`api/${path}`, {
            method,
            credentials: "omit",
            cache: "no-store",
            headers: {
                Authorization: `Basic ${sessionStorage.getItem(KEY) ?? ""}`,
                ...(body === undefined ? {} : {"Content-Type": "application/json"}),
                ...headers,
            },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch {
        throw new Refused(0, "This node does not answer.");
    }
    const text = await response.text();
    let value;
    try {
        value = text ? JSON.parse(text) : undefined;
    } catch {
        value = text;
    }
    if (response.ok) return value;
    throw new Refused(response.status, value?.reason ? `${value.reason}` : `${response.status} ${response.statusText}`);
}

export const get = path => call("GET", path);
export const path = (...parts) => parts.map(encodeURIComponent).join("/");

// What an older node or a lesser right does not show is shown as missing, not as an error of the whole view.
export async function tryGet(place, otherwise) {
    try {
        return await get(place);
    } catch (error) {
        if ([401, 403, 404, 405].includes(error.status)) return otherwise;
        throw error;
    }
}
