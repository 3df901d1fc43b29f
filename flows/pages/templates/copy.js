if (navigator.clipboard) for (const code of document.querySelectorAll("pre > code")) {
  const button = Object.assign(document.createElement("button"), {className: "copy", type: "button", textContent: "Copy"});
  button.onclick = () => navigator.clipboard.writeText(code.textContent).then(() => { button.textContent = "Copied"; });
  code.before(button);
}
