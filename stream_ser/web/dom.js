// Small help with the document. Text is always set as text, never as markup.

/** An element with attributes and children; a child that is a string becomes text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Set a text, and touch the document only where it is another one. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set or remove an attribute, and touch the document only where it changes. */
export function mark(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Bring the rows of a table's body, or the items of a list, to `rows` of texts, each of one cell or more. */
export function fill(body, rows, cell = "td") {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((texts, index) => {
    const row = body.rows[index] ?? body.insertRow();
    texts.forEach((text, column) => {
      if (row.cells[column] === undefined) row.append(element(column === 0 ? "th" : cell, column === 0 ? { scope: "row" } : {}));
      say(row.cells[column], text);
    });
  });
}
