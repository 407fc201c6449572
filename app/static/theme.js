// Day and night theme; the choice is kept on this workstation.
const root = document.documentElement;
const button = document.getElementById("theme");
const stored = localStorage.getItem("theme");
const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

function apply(theme) {
  root.dataset.theme = theme;
  if (button) button.textContent = theme === "dark" ? "Day" : "Night";
}

apply(stored ?? preferred);
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = root.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", next);
    apply(next);
    document.dispatchEvent(new Event("themechange"));
  });
}
