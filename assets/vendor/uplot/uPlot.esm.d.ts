// For type checking alone: without it, the checker would judge the vendored source.
declare const uPlot: any;
export default uPlot;
