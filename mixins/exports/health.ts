export { addCheck, checksOf } from "../dependency.ts";
