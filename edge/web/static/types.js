/**
 * The shapes of what the modules hand one another.
 *
 * @typedef {object} Gray  One byte per pixel, row by row; of ink: 0 = paper, 255 = ink.
 * @property {Uint8Array} data
 * @property {number} width
 * @property {number} height
 *
 * @typedef {object} Box  In whole pixels; the origin is the top left corner.
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 *
 * @typedef {object} Digit  One digit as the API describes it.
 * @property {number} digit  0 to 9.
 * @property {number} confidence  0 to 1, calibrated: how likely there is this very digit; the product of the next two.
 * @property {number | null} digit_probability  How likely it is a digit at all; null where the card does not say.
 * @property {number} class_probability  How likely it is this digit, if it is any.
 * @property {number} score  The log odds that it is a digit at all, in nats.
 * @property {[number, number, number, number]} box  x, y, width, height, in pixels of the frame.
 *
 * @typedef {object} Seen  What the model was shown of one shape, and whether it took it for a digit.
 * @property {Uint8Array} image  [28 * 28], 0 = paper, 255 = ink.
 * @property {number | null} digit  null where it abstained.
 * @property {number} confidence  As of a digit.
 * @property {number} class_probability  As of a digit.
 *
 * @typedef {object} Reading  What a picture says.
 * @property {string[]} rows  The digits of each row, top to bottom.
 * @property {Digit[]} digits  The same digits in the same order.
 * @property {{width: number, height: number}} frame  What the boxes are measured in.
 * @property {Record<string, number>} timing_ms  Milliseconds in each stage.
 * @property {Seen[]} [seen]  Only where the model ran in this page.
 *
 * @typedef {object} Abstention  The card's.
 * @property {number} threshold  In nats.
 * @property {number} temperature  Above 0.
 * @property {DigitOdds | null} [digit_odds]
 *
 * @typedef {object} DigitOdds  Weights of a logistic function, as `/v1/model` describes them.
 * @property {number} intercept
 * @property {number} score
 * @property {number} company
 * @property {number} highest
 *
 * @typedef {object} ServerModel  The fields of `GET /v1/model` that the page uses.
 * @property {string} name
 * @property {{model: string, runtime: string, precision: string}[]} choices  What the server reads with, its own first.
 * @property {Abstention} abstention
 * @property {object | null} onnx_int8  The file that the page can run; null: this model has none.
 * @property {string | null} browser_runtime  The version of onnxruntime-web that the server has; null: none.
 * @property {string | null} camera  What the live view shows; null: the server has no camera.
 *
 * @typedef {object} Stroke
 * @property {number} width  In pixels of the pad.
 * @property {[number, number][]} points  x, y in pixels of the pad.
 */

export {};
