"""Every page in a real browser: no policy report, no console error, nothing from outside, keyboard works."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import need

pytestmark = [pytest.mark.soak, pytest.mark.network]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """`fetal-health serve --prepare` in an empty folder; its address and the printed password."""
    need((ROOT / "app/static/vendor/htmx.min.js").exists(), "browser assets are not installed (make assets)")
    home = tmp_path_factory.mktemp("serve")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {
        "FETAL_HEALTH_HOME": str(home / "home")
    }
    line = [sys.executable, "-u", "-m", "app.cli", "serve", "--prepare", "--port", str(port)]
    process = subprocess.Popen(line, cwd=home, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        password = ""
        for text in process.stdout:
            if "shown once" in text:
                password = text.rsplit(" ", 1)[1].strip()
            if "http://" in text:
                break
        base = f"http://127.0.0.1:{port}"
        for _ in range(150):
            try:
                if httpx.get(base + "/health/ready").status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield base, password
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def page(server: tuple[str, str]) -> Iterator[Any]:
    """A page that is signed in, with every complaint collected in `page.complaints`."""
    chromium = shutil.which("chromium")
    need(chromium is not None, "Chromium is not installed (Debian: chromium)")
    from playwright.sync_api import sync_playwright

    base, password = server
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        made = browser.new_page(viewport={"width": 1400, "height": 900}, base_url=base)
        complaints: list[str] = []
        made.on("console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None)
        made.on("pageerror", lambda e: complaints.append(str(e)))
        made.on("request", lambda r: None if r.url.startswith((base, "data:")) else complaints.append(r.url))
        made.complaints = complaints  # type: ignore[attr-defined]
        made.goto("/sign-in")
        made.fill("[name=name]", "admin")
        made.fill("[name=password]", password)
        made.keyboard.press("Enter")
        made.wait_for_url(base + "/")
        yield made
        browser.close()


PATHS = ["/", "/patients", "/patients/DEMO-001%20synthetic", "/assessments/new", "/assessments/1", "/assessments/2"]
PATHS += [
    "/assessments/3",
    "/assessments/4",
    "/assessments/5",
    "/federation",
    "/monitoring",
    "/evidence",
    "/audit",
    "/users",
    "/account",
    "/docs",
]


@pytest.mark.parametrize("path", PATHS)
def test_pages_load_without_a_complaint(page: Any, path: str) -> None:
    page.complaints.clear()
    answer = page.goto(path)
    page.wait_for_load_state("networkidle")
    assert answer.status == 200
    assert page.complaints == []
    assert page.locator(".notice").inner_text().startswith("Research prototype")


def test_the_trace_is_taken_over_and_read_by_keyboard(page: Any) -> None:
    page.goto("/assessments/1")
    page.wait_for_selector("#trace .uplot")
    page.wait_for_function("() => { const t = document.getElementById('trace'); return t.scrollLeft > 0; }")
    page.focus("#trace")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert "bpm" in page.locator("[data-trace-reading]").inner_text()
    before = page.locator("#trace .uplot").first.bounding_box()["width"]
    page.click("[data-speed='3']")
    assert page.locator("#trace .uplot").first.bounding_box()["width"] > 2 * before


def test_without_scripts_the_server_draws_and_forms_work(page: Any, server: tuple[str, str]) -> None:
    context = page.context.browser.new_context(java_script_enabled=False, base_url=server[0])
    context.add_cookies(page.context.cookies())
    plain = context.new_page()
    plain.goto("/assessments/1")
    assert plain.locator("#trace svg.trace path.fhr").count() == 1
    plain.click("button[value=agree]")
    assert "Agree" in plain.locator(".review").inner_text()
    context.close()


def test_a_chosen_file_is_checked_before_it_is_sent(page: Any, tmp_path: Path) -> None:
    from models.synthetic.traces import as_csv, trace

    path = tmp_path / "trace.csv"
    path.write_bytes(as_csv(trace(minutes=20, seed=1).recording))
    page.complaints.clear()
    page.goto("/assessments/new")
    page.set_input_files("[name=ctg]", path)
    page.wait_for_selector("#ctg-check svg")
    assert "20 min at 4 Hz" in page.locator("#ctg-check").inner_text()
    page.fill("[name=patient]", "P-1")
    page.click("form.columns > button")
    page.wait_for_selector(".risk")
    assert page.complaints == []


def test_the_outline_is_moved_by_mouse_and_keyboard_and_stored(page: Any) -> None:
    page.complaints.clear()
    page.goto("/assessments/5")
    page.click("text=Correct the outline")
    form = page.locator("[data-outline-form] form")
    before = {name: float(form.locator(f"[name={name}]").input_value()) for name in ("centre_x", "semi_major", "angle")}
    shown = page.locator("[data-circumference]")
    page.wait_for_function("document.querySelector('[data-circumference]').innerText.endsWith(' mm')")
    first = shown.inner_text()
    page.focus("[aria-label='Centre of the head']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert float(form.locator("[name=centre_x]").input_value()) == pytest.approx(before["centre_x"] + 11)
    assert shown.inner_text() == first
    dot = page.locator("[aria-label='Occipitofrontal calliper, one end']").bounding_box()
    x, y = dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=4)
    page.mouse.up()
    longer = float(form.locator("[name=semi_major]").input_value())
    assert longer > before["semi_major"] + 10
    assert float(shown.inner_text().removesuffix(" mm")) > float(first.removesuffix(" mm")) + 3
    form.locator("[name=reason]").fill("occiput")
    form.locator("button").click()
    page.wait_for_selector("text=Corrected by admin: occiput")
    assert "drawn by admin" in page.locator(".evidence").inner_text()
    assert page.locator(".head.model").count() == 1
    assert page.complaints == []


def test_a_line_of_known_length_gives_the_scale(page: Any, tmp_path: Path) -> None:
    from models.synthetic.heads import head_of, phantom
    from models.ultrasound import formats
    from models.ultrasound.image import UltrasoundImage

    path = tmp_path / "head.png"
    path.write_bytes(formats.as_png(UltrasoundImage(phantom(head_of(260, 0.2), seed=9))))
    page.goto("/assessments/new")
    page.set_input_files("[name=image]", path)
    page.wait_for_selector("text=no scale in the file")
    page.fill("[name=patient]", "P-scale")
    page.fill("[name=scan_gestational_age]", "28+0")
    page.click("form.columns > button")
    page.click("text=State the scale")
    page.fill("[name=length_mm]", "64.8")  # the line is drawn over .6 of 540 pixels
    form = page.locator("[data-calliper-form] form")
    assert form.locator("[name=calliper]").input_value() == "80.0,108.0,80.0,432.0,64.8"
    form.locator("[name=reason]").fill("depth ruler")
    form.locator("button").click()
    page.wait_for_selector("text=0.2 mm per pixel (calliper)")


def test_night_theme_and_print(page: Any) -> None:
    page.goto("/assessments/1")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") in {"dark", "light"}
    page.click("#theme")
    page.emulate_media(media="print")
    assert not page.locator("header.top").is_visible()
    assert page.locator(".notice").is_visible()
    page.emulate_media(media="screen")


@pytest.mark.parametrize("width", [400, 768, 1280])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_result_page_is_never_wider_than_the_screen(page: Any, width: int, number: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"/assessments/{number}")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.set_viewport_size({"width": 1400, "height": 900})


def test_a_printed_result_keeps_every_number(page: Any) -> None:
    page.set_viewport_size({"width": 700, "height": 900})  # A4 between its margins
    page.emulate_media(media="print")
    page.goto("/assessments/1")
    page.wait_for_load_state("networkidle")
    wide = page.evaluate(
        """() => [...document.querySelectorAll(".assessment th, .assessment td, .assessment p, .assessment li")]
            .filter((e) => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)
            .map((e) => e.textContent.trim().slice(0, 60))"""
    )
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1400, "height": 900})
    assert wide == []
