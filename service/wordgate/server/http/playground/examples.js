// What the views show before the user writes something, by language.

export const CHOICES = {
  en: {
    history: "How was your trip?",
    candidates: [
      "the son was out | -1245.0",
      "the sun was out | -1247.5",
      "the sun was al | -1249.0",
      "this on was out | -1246.0",
    ].join("\n"),
  },
  zh: {
    history: "明天",
    candidates: ["天汽很好 | -310.0", "天气很好 | -311.5", "田七很好 | -312.0"].join("\n"),
  },
};

export const SENTENCES = {
  en: { text: "The keys to the cabinet are on the table.", without: "keys to the" },
  zh: { text: "我在法国长大，所以我会说法语。", without: "在法国" },
};

const EMPTY = { history: "", candidates: "", text: "", without: "" };

/** Return the example of a language, given as a BCP 47 tag, or an empty one. */
export const exampleFor = (examples, tag) => examples[tag.split("-")[0]] ?? EMPTY;
