{
  const field = document.getElementById("search"), found = document.getElementById("found");
  const rows = [...document.querySelectorAll("#dictionary tbody tr")];
  const texts = rows.map(row => row.textContent.toLowerCase());
  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      row.hidden = !words.every(word => texts[at].includes(word));
      count += !row.hidden;
    });
    found.textContent = `${count} of ${rows.length} features`;
  };
  if (field) {
    field.closest(".search").hidden = false;
    field.oninput = show;
    show();
  }
  const open = () => {
    const chain = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (chain && chain.tagName === "DETAILS") chain.open = true;
  };
  addEventListener("hashchange", open);
  open();
}
