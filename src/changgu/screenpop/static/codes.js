// The desk's own code lists, asked for once per page.

import { api } from "/static/api.js";

const english = document.body.dataset.lang === "en";
let known = [];

/** Resolves when the lists are there, or cannot be had: a page without them still takes calls. */
export const codesLoaded = api("/api/v1/tickets/codes").then(
  (codes) => {
    known = codes.grades.map(({ code, ko, en }) => [code, english ? en : ko]);
  },
  () => {},
);

/** 장애등급: `[["1", "1등급"], …]` */
export const grades = () => known;

/** `3등급` for `3`; the code itself when nobody named it. */
export const gradeName = (code) => known.find(([one]) => one === code)?.[1] ?? code;
