export { addCheck, type Check, checksOf } from "../health.ts";
