"""What statuses of sales lines are called, folded (lower case, without accents) by `statuses`."""

from __future__ import annotations


def _words(text: str, separator: str | None = None) -> frozenset[str]:
    return frozenset(text.split(separator))


TAKEN_BACK = _words(
    "cancel cancelled canceled cancellation cancelation void voided returned return returns refund "
    "refunded reversed chargeback rto storniert storno stornierung annulliert ungultig retourniert "
    "retoure zuruckgesendet zurueckgesendet zuruckgegeben zurueckgegeben erstattet annule annulee "
    "annulation retourne retournee retour rembourse remboursee remboursement cancelado cancelada "
    "anulado anulada devuelto devuelta devolucion reembolsado reembolsada"
)
NEVER_SOLD = _words(
    "draft drafts quote quotation proforma rejected declined failed abandoned deleted saved "
    "trash trashed entwurf "
    "angebot abgelehnt abgebrochen fehlgeschlagen geloscht geloescht brouillon devis refuse "
    "refusee borrador presupuesto cotizacion rechazado rechazada"
)
NOT_SO = _words(
    "not no non un never partial partially partly part pending request requested nicht kein "
    "teilweise angefragt partiel partiellement pas demande demandee parcial parcialmente "
    "pendiente solicitado solicitada"
)
"""Beside one of the words above they say that something else is the case."""
SOLD = _words(
    "complete;completed;shipped;delivered;paid;open;new;pending;processing;in process;in progress;"
    "invoiced;billed;confirmed;closed;fulfilled;unfulfilled;partial;approved;accepted;active;done;"
    "sold;sale;booked;posted;authorized;authorised;on hold;on the way;in transit;placed;ordered;"
    "picked;packed;ready;received;finished;resolved;backordered;unpaid;created;success;disputed;"
    "partially refunded;partially returned;partially cancelled;partially paid;partially shipped;"
    "partially fulfilled;paid in full;fully applied;fully billed;credited;pending payment;shipping;"
    "onaccount closed;layby closed;pending fulfillment;pending billing;fully paid;part paid;"
    "settled;payment;sales order;locked;"
    "abgeschlossen;versendet;versandt;geliefert;ausgeliefert;bezahlt;offen;neu;in bearbeitung;"
    "bestatigt;bestaetigt;fakturiert;berechnet;erledigt;verkauft;gebucht;"
    "termine;terminee;expedie;expediee;livre;livree;paye;payee;ouvert;ouverte;nouveau;nouvelle;"
    "en cours;facture;facturee;confirme;confirmee;valide;validee;vendu;vendue;"
    "completado;completada;enviado;enviada;entregado;entregada;pagado;pagada;abierto;abierta;"
    "nuevo;nueva;en proceso;facturado;facturada;confirmado;confirmada;vendido;vendida",
    ";",
)
"""Whole statuses of lines that are demand."""
YES = _words("true t yes y 1 x ja j oui o si s wahr vrai verdadero")
NO = _words("false f no n 0 nein non falsch faux falso")
ENDED = _words(
    "discontinued inactive archived obsolete eol retired ausgelaufen auslaufend inaktiv eingestellt"
    " arrete inactif descontinuado inactivo"
)
"""Of a product: it is not bought any more."""
AMBIGUOUS = _words("state estado etat stato zustand")
"""Columns that may also hold a place; only words that are known make them a status."""
