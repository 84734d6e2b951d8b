// Which colour a label has: the same here, on the screen and in pictures (stream_ser/label_colours.py). Pure.

const KNOWN = ["angry", "happy", "neutral", "sad"];
const OTHERS = ["label-other-0", "label-other-1", "label-other-2", "label-other-3", "label-neutral", "label-sad", "label-happy", "label-angry"];

/** For each label the name of its colour in the style sheet; the same whenever the labels are the same. */
export function colourNames(labels) {
  const used = new Set(labels.filter((label) => KNOWN.includes(label)).map((label) => `label-${label}`));
  const spare = OTHERS.filter((name) => !used.has(name));
  const pool = spare.length ? spare : OTHERS;
  let next = 0;
  return labels.map((label) => (KNOWN.includes(label) ? `label-${label}` : pool[next++ % pool.length]));
}

/** Give a node the colour of one of the labels, or none. */
export function tint(node, labels, label) {
  const index = labels.indexOf(label);
  const wanted = index < 0 ? "" : `var(--${colourNames(labels)[index]})`;
  if (node.style.color !== wanted) node.style.color = wanted;
}
