// Says so if the modules of the page did not load. It is not a module itself: one that is missing keeps all from running.

addEventListener("load", () => {
  // The first that main.js does is to remove this.
  const starting = document.getElementById("starting");
  if (starting === null) return;
  starting.textContent = "The page did not load, because a part of it did not arrive. Reload it; if that does not help, look at the server's log.";
  starting.className = "notice bad";
  starting.setAttribute("role", "alert");
});
