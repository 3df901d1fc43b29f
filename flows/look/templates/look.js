for (const slider of document.querySelectorAll("figure input[type=range]")) {
  const picture = slider.previousElementSibling;
  const show = () => picture.style.setProperty("--slice", slider.value);
  slider.addEventListener("input", show);
  show();
}
const choose = (id, name, wanted) => {
  const box = document.getElementById(id);
  const apply = () => document.body.classList.toggle(name, box.checked === wanted);
  box.addEventListener("change", apply);
  apply();
};
choose("contours", "no-contours", false);
choose("flagged", "only-flagged", true);
