"""A real browser on a real server: Debian's chromium without a window, and uvicorn on a free port."""

import json
import shutil
import socket
import threading
import time

import pytest
import uvicorn

from isotherm.serving.app.factory import create_app

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en")


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromium-driver (apt-get install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


class Server:
    """An app on a free port of this machine, in a thread."""

    def __init__(self, app):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})

    def __enter__(self):
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@pytest.fixture
def serve():
    """A function that starts an app and gives its address."""
    running = []

    def start(shared, **options):
        running.append(Server(create_app(shared, **options)).__enter__())
        return running[-1].address

    yield start
    for server in running:
        server.__exit__()


class Page:
    """The page as one uses it; waits until the list is there."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, fragment=""):
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}#{fragment}")
        self.until(lambda: self.all("#add > *") and self.all("#map-told"))
        self.settle()
        return self

    def until(self, check, what="it never came", seconds=20):
        end = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < end, what
            time.sleep(0.02)

    def settle(self):
        """Wait until nothing is asked any more."""
        self.until(lambda: self.all("#recommendations > li") and not self.all("[aria-busy=true]"))

    def all(self, css):
        return self.driver.find_elements("css selector", css)

    def one(self, css):
        self.until(lambda: self.all(css), f"there is no {css}")
        return self.all(css)[0]

    def text(self, css):
        return self.script("return document.querySelector(arguments[0])?.textContent ?? ''", css)

    def texts(self, css):
        return self.script("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", css)

    def script(self, code, *args):
        return self.driver.execute_script(code, *args)

    def press(self, *keys):
        """Keys, without a mouse, to what has the focus."""
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def click(self, css):
        self.script("arguments[0].scrollIntoView({block: 'center'})", self.one(css))
        self.one(css).click()

    def titles(self):
        return self.texts("#recommendations .name")

    def seen_when(self, change):
        """The titles of the list after a change of it."""
        self.script("document.querySelector('#recommendations > li').classList.add('before')")
        change()
        self.until(lambda: not self.all("li.before"), "the list never changed")
        self.settle()
        return self.titles()

    def complaints(self):
        """What the browser complained of."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """Addresses of all requests so far."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        sent = [each["params"] for each in events if each["method"] == "Network.requestWillBeSent"]
        return [each["request"]["url"] for each in sent]


@pytest.fixture
def page(chromium, serve, shared):
    """The page of a live model; after the test: no complaint, and no request to anywhere else."""
    address = serve(shared)
    chromium.get("about:blank")  # the page of an earlier test asks no more
    chromium.get_log("browser"), chromium.get_log("performance")
    page = Page(chromium, address)
    page.open()
    yield page
    assert page.complaints() == []
    elsewhere = [each for each in page.requests() if not each.startswith((address, "about:", "data:"))]
    assert elsewhere == []
