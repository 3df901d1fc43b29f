const markCut = () => {
  for (const region of document.querySelectorAll(".scroll")) {
    region.classList.remove("cut");
    region.classList.toggle("cut", region.scrollWidth > region.clientWidth + 1);
  }
};
addEventListener("load", markCut);
addEventListener("resize", markCut);
addEventListener("toggle", markCut, true);
