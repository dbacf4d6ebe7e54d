import { health } from "./health.ts";

export default health();
