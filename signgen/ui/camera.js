// Where the camera cannot be had, browsers say so to the page alone: say it in words beside the camera.
() => {
  const lines = {
    NotAllowedError: "Error: the browser does not let this page use the camera. Allow it in the browser's settings of this page, or choose a file.",
    NotFoundError: "Error: there is no camera. Connect one and try again, or choose a file.",
    NotReadableError: "Error: another program uses the camera. Close it and try again, or choose a file.",
  };
  const say = (...content) => document.querySelector("#camera-status")?.replaceChildren(...content);
  document.addEventListener("click", (event) => { if (event.target.closest?.("#webcam")) say(); });
  window.addEventListener("unhandledrejection", (event) => {
    const line = lines[event.reason?.name];
    if (!line) return;
    event.preventDefault();
    const state = document.createElement("div");
    state.className = "state error";
    state.setAttribute("role", "alert");
    state.textContent = line;
    say(state);
  });
}
