#!/usr/bin/python3
"""A tour of the management page in a real Chromium, as an operator goes: `page_tour.py BASE_URL [FOLDER FOR SCREENSHOTS]`.

Prints "ok: STEP" for each step; the first that fails ends it with what the page showed and what the browser's console said.
"""

import contextlib
import pathlib
import re
import sys
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

WAIT = 30.0


class Tour:
    def __init__(self, base, pictures):
        options = webdriver.ChromeOptions()
        for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1360,900",
                       "--disable-background-networking", "--no-first-run"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.base, self.pictures = base, pictures

    def text(self):
        return self.browser.find_element(By.TAG_NAME, "body").text

    def until(self, what, question):
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            try:
                if answer := question():
                    return answer
            except Exception as error:  # pylint: disable=broad-except  (the page is drawn anew while it is looked at)
                last = error
            time.sleep(0.1)
        raise AssertionError(f"the page never showed: {what}")

    def on(self, what, find, act):
        """Finds and acts. When the page was drawn anew in between, the element is not of the page any more and nothing was
        done: then it is looked for again."""
        while True:
            element = self.until(what, find)
            with contextlib.suppress(StaleElementReferenceException):
                act(element)
                return element

    def shows(self, *words):
        for word in words:
            self.until(word, lambda word=word: word in self.text())

    def go(self, place, heading):
        self.browser.get(f"{self.base}/#/{place}")
        self.until(f"the heading {heading}", lambda: self.browser.find_element(By.TAG_NAME, "h1").text == heading)

    def picture(self, name):
        if self.pictures:
            self.browser.execute_script("scrollTo(0, 0)")
            self.browser.save_screenshot(str(pathlib.Path(self.pictures) / f"{name}.png"))

    def fold_out(self, title):
        summary = self.on(title, lambda: next(s for s in self.browser.find_elements(By.TAG_NAME, "summary") if s.text == title),
                          lambda summary: summary.click())
        return summary.find_element(By.XPATH, "..")

    def fill(self, title, **values):
        """Opens a form, types, sends; gives what the page said about it."""
        form = self.fold_out(title)
        for name, value in values.items():
            field = form.find_element(By.NAME, name)
            if field.tag_name != "select":
                field.clear()
            field.send_keys(value)
        form.find_element(By.CSS_SELECTOR, ".send button").click()
        return self.until(f"an answer to {title}", lambda: form.find_element(By.CSS_SELECTOR, ".said").text)

    def hold(self, word):
        """Puts the mouse on a button and holds it there. True when it is held: the page may have been drawn anew while the mouse
        was on its way, and what it had been sent to is elsewhere now."""
        self.on(word, lambda: next(b for b in self.browser.find_elements(By.TAG_NAME, "button") if b.text == word),
                lambda button: ActionChains(self.browser).click_and_hold(button).perform())
        if any(button.text == word for button in self.browser.find_elements(By.CSS_SELECTOR, "button:active")):
            return True
        ActionChains(self.browser).release().perform()
        return False

    def press_long(self, word):
        """Holds a button while the page is refreshed around it."""
        self.until(f"{word}, held", lambda: self.hold(word))
        for _ in range(2):      # the first one may have begun before
            told = self.foot()
            self.until("a refresh", lambda told=told: self.foot() != told)
        ActionChains(self.browser).release().perform()
        self.until("a question", lambda: self.browser.switch_to.alert).accept()

    def foot(self):
        return self.browser.find_element(By.ID, "foot").text

    def log_in(self, password):
        self.until("the form to log in", lambda: self.browser.find_element(By.ID, "login"))
        for name, value in (("user", "guest"), ("password", password)):
            field = self.browser.find_element(By.NAME, name)
            field.clear()
            field.send_keys(value)
        self.browser.find_element(By.CSS_SELECTOR, "#login button").click()


def step_log_in(tour):
    tour.browser.get(tour.base + "/")
    tour.log_in("wrong")
    tour.shows("Login failed")
    tour.log_in("guest")
    tour.shows("Overview", "Nodes", "Queued messages")


def step_overview(tour):
    tour.go("overview", "Overview")
    tour.shows("running", "connections", "queues")
    # Someone publishes all the while: the rate must get from the nodes to the chart.
    tour.until("a rate of publishes", lambda: re.search(r"publish: [1-9]", tour.text()))


def step_queue(tour):
    tour.go("queues", "Queues")
    answer = tour.fill("Add a queue", name="tour", arguments="x-max-length=100")
    assert "tour" in answer, answer
    tour.go("queues", "Queues")
    tour.shows("tour", "max-length")
    tour.picture("queues")
    tour.go("queue/%2F/tour", "Queue tour")
    answer = tour.fill("Publish a message", payload="<b>hello</b> from the page")   # the routing key is the queue's name
    assert answer == "Published and routed.", answer
    tour.shows("Replicas", "leader")


def step_get(tour):
    tour.browser.get("about:blank")
    tour.go("queue/%2F/tour", "Queue tour")
    got = tour.fill("Get messages")
    assert "<b>hello</b> from the page" in got, got
    assert not tour.browser.find_elements(By.CSS_SELECTOR, ".said b"), "a payload became a part of the page"
    if tour.pictures:
        time.sleep(12)   # samples for the charts
    tour.picture("queue")


def step_exchange(tour):
    tour.go("exchanges", "Exchanges")
    tour.shows("amq.topic")
    assert "tourists" in tour.fill("Add an exchange", name="tourists", type="fanout")
    tour.go("exchange/%2F/tourists", "Exchange tourists")
    assert "Bound" in tour.fill("Add a binding from this exchange", to="tour", key="")
    tour.browser.get("about:blank")
    tour.go("exchange/%2F/tourists", "Exchange tourists")
    tour.shows("tour (queue)")


def step_connections(tour):
    tour.go("connections", "Connections")
    tour.shows("guest", "AMQP 0-9-1")
    tour.on("a connection", lambda: tour.browser.find_element(By.CSS_SELECTOR, "td.name a"), lambda name: name.click())
    tour.shows("Client properties", "Close this connection")
    tour.go("channels", "Channels")
    tour.shows("Unacked")


def step_admin(tour):
    for part, heading in (("users", "Users"), ("vhosts", "Virtual hosts"), ("policies", "Policies"), ("limits", "Limits"), ("cluster", "Cluster")):
        tour.go(f"admin/{part}", heading)
    tour.go("admin/users", "Users")
    assert "Saved" in tour.fill("Add or change a user", name="tourist", password="secret", tags="monitoring")
    tour.go("admin/vhosts", "Virtual hosts")
    tour.go("admin/users", "Users")
    tour.shows("tourist", "monitoring")
    tour.go("admin/policies", "Policies")
    assert "Saved" in tour.fill("Add or change a policy", name="short", pattern="^tour$", definition="max-length=50")
    tour.go("queue/%2F/tour", "Queue tour")
    tour.shows("policy short")


def step_links(tour):
    tour.go("links", "Links to other clusters")
    tour.shows("Shovels", "Federation")


def step_delete(tour):
    tour.go("queue/%2F/tour", "Queue tour")
    tour.press_long("Delete this queue")
    tour.until("the list without the queue", lambda: tour.browser.find_element(By.TAG_NAME, "h1").text == "Queues"
               and "tour" not in tour.browser.find_element(By.TAG_NAME, "main").text)


def step_node_down(tour):
    """The caller has killed a node before; the banner must say so."""
    tour.go("overview", "Overview")
    tour.shows("is down")
    tour.picture("overview-node-down")


STEPS = {"log in": step_log_in, "overview": step_overview, "queue": step_queue, "get": step_get, "exchange": step_exchange,
         "connections": step_connections, "admin": step_admin, "links": step_links, "delete": step_delete}


def main():
    base, pictures = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    tour = Tour(base, pictures)
    try:
        for name, step in STEPS.items():
            step(tour)
            print(f"ok: {name}", flush=True)
            if name == "overview" and pictures:
                time.sleep(6)   # a second sample for the charts
                tour.picture("overview")
        print("kill a node now", flush=True)
        sys.stdin.readline()
        step_node_down(tour)
        print("ok: node down", flush=True)
        complaints = [entry for entry in tour.browser.get_log("browser") if entry["level"] == "SEVERE" and "401" not in entry["message"]]
        assert not complaints, complaints
    except BaseException:
        print(tour.text(), file=sys.stderr)
        for entry in tour.browser.get_log("browser"):
            print(entry, file=sys.stderr)
        raise
    finally:
        tour.browser.quit()


if __name__ == "__main__":
    main()
