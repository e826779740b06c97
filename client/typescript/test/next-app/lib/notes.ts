const notes = new Map([
  ["1", { ownerId: "ada", text: "the note of ada" }],
  ["2", { ownerId: "bob", text: "the note of bob" }],
]);

export async function findNote(id: string) {
  const note = notes.get(id);
  if (!note) throw new Error("no such note");
  return note;
}
