"""Fixtures: one gateway on the simulator and one on a recording upstream serve the whole session."""

import os
import shutil

import pytest

from gateway import Gateway, recorder_config
from recorder import Recorder

for name in [n for n in os.environ if n.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(
    AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull
)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """`bedplate up` with nothing configured: embedded ledger, simulator in process."""
    with Gateway(tmp_path_factory.mktemp("simulated")) as gateway:
        yield gateway


@pytest.fixture
def recorder():
    upstream = Recorder()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def _recorded(tmp_path_factory):
    upstream = Recorder()
    with Gateway(tmp_path_factory.mktemp("recorded"), recorder_config(upstream)) as gateway:
        yield gateway, upstream
    upstream.stop()


@pytest.fixture
def recorded(_recorded):
    """A gateway whose only upstream is a recorder; request metadata off. Gives (gateway, recorder)."""
    _recorded[1].clear()
    return _recorded


@pytest.fixture(scope="session")
def _stamped(tmp_path_factory):
    upstream = Recorder()
    with Gateway(tmp_path_factory.mktemp("stamped"), recorder_config(upstream, metadata=True)) as gateway:
        yield gateway, upstream
    upstream.stop()


@pytest.fixture
def stamped(_stamped):
    """As `recorded`, with request metadata on (the default)."""
    _stamped[1].clear()
    return _stamped


@pytest.fixture
def start(tmp_path):
    """Starts gateways that belong to one test: start(config, *arguments, **environment)."""
    running = []

    def start_one(config=None, *arguments, project=None, **environment):
        gateway = Gateway(project or tmp_path / f"project{len(running)}", config, *arguments, **environment)
        running.append(gateway)
        return gateway.start()

    yield start_one
    for gateway in running:
        gateway.kill()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A real one, for the tests of one file."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update", "--window-size=1280,1000",
                 f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(20)
    yield driver
    driver.quit()
