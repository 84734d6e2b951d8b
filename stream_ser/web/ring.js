// Rows of numbers in a fixed piece of memory: the newest `capacity` of them. Pure.

export class Ring {
  constructor(capacity, width) {
    this.capacity = capacity;
    this.width = width;
    this.length = 0;
    this.values = new Float64Array(capacity * width);
    this.next = 0; // where the next row goes
  }

  /** Take a row of `width` numbers; the oldest row goes where there is no room. Null is kept as NaN. */
  push(row) {
    const at = this.next * this.width;
    for (let column = 0; column < this.width; column++) this.values[at + column] = row[column] ?? NaN;
    this.next = (this.next + 1) % this.capacity;
    this.length = Math.min(this.length + 1, this.capacity);
  }

  /** One number; row 0 is the oldest that is kept. */
  at(row, column) {
    const place = (this.next - this.length + row + this.capacity) % this.capacity;
    return this.values[place * this.width + column];
  }
}

/** Append to a list that keeps its last `most` items. */
export function append(list, item, most) {
  list.push(item);
  if (list.length > most) list.splice(0, list.length - most);
}
