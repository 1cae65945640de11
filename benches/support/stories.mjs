/**
 * Writes simple English stories from a small grammar and a seed, the same ones on every machine.
 * Written for this repository, so that a measurement needs no downloaded text.
 */

import { randomOf } from "./random.mjs";

const GIRLS = ["Mia", "Anna", "Lily", "Sue", "Emma", "Rosa", "Jane", "Nora"];
const BOYS = ["Tom", "Ben", "Max", "Sam", "Jack", "Leo", "Tim", "Paul"];
const ANIMALS = ["dog", "cat", "bird", "rabbit", "duck", "frog", "horse", "mouse", "fox", "bear"];
const THINGS = ["ball", "kite", "boat", "drum", "hat", "book", "cup", "box", "bell", "doll", "car", "lamp"];
const LOOKS = ["red", "blue", "small", "big", "worn", "shiny", "round", "soft", "green", "pretty"];
const PLACES = ["park", "garden", "forest", "kitchen", "river", "hill", "school", "barn", "market", "beach"];
const FEELINGS = ["happy", "sad", "tired", "proud", "scared", "excited", "hungry", "surprised"];
const WEATHERS = ["sunny", "rainy", "windy", "cold", "warm", "cloudy"];
const DEEDS = ["ran", "walked", "jumped", "hurried", "danced", "went"];
const LESSONS = [
  "it is good to share",
  "friends help each other",
  "it is best to tell the truth",
  "being kind makes everyone happy",
  "it is fine to ask for help",
  "trying again is never wrong",
];

/** One story of some hundred characters. @param {() => number} random */
function story(random) {
  const one = (/** @type {string[]} */ list) => /** @type {string} */ (list[Math.floor(random() * list.length)]);
  const girl = random() < 0.5;
  const name = one(girl ? GIRLS : BOYS);
  const [they, them, their] = girl ? ["she", "her", "her"] : ["he", "him", "his"];
  const They = girl ? "She" : "He";
  const animal = one(ANIMALS);
  const thing = `${one(LOOKS)} ${one(THINGS)}`;
  const place = one(PLACES);
  const other = one(PLACES);
  const begin = [
    `Once upon a time, there was a little ${girl ? "girl" : "boy"} named ${name}.`,
    `One ${one(WEATHERS)} day, ${name} ${one(DEEDS)} to the ${place}.`,
    `${name} lived near the ${place} with ${their} mom and dad.`,
  ];
  const middle = [
    `${They} loved to play with ${their} ${thing}.`,
    `At the ${place}, ${they} saw a ${one(LOOKS)} ${animal}.`,
    `The ${animal} looked ${one(FEELINGS)}.`,
    `"Do you want to play with me?" asked ${name}.`,
    `The ${animal} said, "Yes, but I lost my ${thing} at the ${other}."`,
    `${name} was ${one(FEELINGS)} and wanted to help.`,
    `They ${one(DEEDS)} to the ${other} and looked for the ${thing}.`,
    `They looked under a tree and behind a ${one(LOOKS)} stone.`,
    `At last, ${name} found the ${thing} in the grass.`,
    `"Thank you!" said the ${animal}, and it gave ${them} a big hug.`,
    `It was ${one(WEATHERS)}, and they played until the sun went down.`,
  ];
  const end = [
    `${name} went home and told ${their} mom about the ${animal}. ${They} was very ${one(FEELINGS)}.`,
    `From that day on, ${name} and the ${animal} were best friends.`,
    `${name} learned that ${one(LESSONS)}. The end.`,
  ];
  const told = middle.filter(() => random() < 0.7);
  return [one(begin), ...told, one(end)].join(" ");
}

/**
 * At least this many bytes of stories, none of them cut; one object each, as the command reads JSON lines of plain text.
 * @param {number} bytes @param {number} [seed]
 */
export function stories(bytes, seed = 1) {
  const random = randomOf(seed);
  const texts = [];
  for (let size = 0; size < bytes; ) {
    const text = story(random);
    texts.push({ text });
    size += text.length + 1;
  }
  return texts;
}
