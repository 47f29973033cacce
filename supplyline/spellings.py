"""How supply-chain files spell their columns, by standard field, the surest spelling first.

A number goes before a word that may be a name (`supplier_id`, `supplier`).

English, German, French, Spanish, Italian, Dutch, Portuguese and Polish; technical names and exports
of SAP, Shopify, Amazon and NetSuite. As `tenancy.names.column_names` makes them. Abbreviations
(`no`, `qty`) and measures (`_eur`) need no spelling of their own (see `vocabulary`).
"""

from __future__ import annotations

_TEXT: dict[str, str] = {
    "item": """
        sku product_internal_reference order_lines_product_internal_reference item item_id item_code
        item_no item_number product_id product_code product_sku
        stock_code stockcode article article_id article_number article_no part part_no part_number
        material material_number product artikel artikelnummer artikel_nr artikelnr reference
        ref_article code_article codigo codigo_producto upc ean gtin asin unique_id
        variant_sku lineitem_sku seller_sku fnsku matnr item_internal_id
        materialnummer materialnr produktnummer produktnr produkt artikelcode art_nr
        code_produit produit reference_article ref ref_produit
        articulo codigo_articulo producto referencia codigo_de_producto
        articolo codice_articolo codice prodotto codice_prodotto
        produto codigo_produto codigo_do_produto
        towar kod_towaru indeks indeks_towaru nr_artykulu
        order_lines_product
        barcode ean13 item_sku product_variant_sku material_no
        item_code_items
        """,
    "quantity": """
        quantity qty units units_sold quantity_sold qty_sold sold_quantity order_qty
        order_quantity quantity_ordered sales_qty sold amount_sold menge anzahl quantite cantidad
        demand y lineitem_quantity quantity_shipped quantity_purchased kwmeng fkimg
        stueckzahl verkaufsmenge bestellmenge absatz absatzmenge verkaufte_menge
        qte quantite_vendue quantite_commandee cantidad_vendida unidades unidades_vendidas
        quantita qta quantita_venduta aantal hoeveelheid aantal_verkocht
        quantidade qtd quantidade_vendida ilosc ilosc_sprzedana
        order_lines_quantity ordered_quantity order_lines_ordered_quantity items_sold units_ordered
        net_quantity quantity_refund auftragsmenge kumulierte_auftragsmenge fakturierte_menge
        menge_in_erfassme menge_in_erfassungsme
        quantity_items qty_items
        """,
    "date": """
        date order_date invoice_date sale_date sales_date sold_at sold_on transaction_date
        ordered_at posting_date day datum bestelldatum date_commande fecha created_at timestamp
        datetime month week ds purchase_date tran_date document_date budat erdat audat fkdat
        verkaufsdatum rechnungsdatum buchungsdatum belegdatum auftragsdatum
        date_vente date_facture fecha_pedido fecha_venta fecha_factura
        data_ordine data_vendita data_documento data_fattura orderdatum factuurdatum verkoopdatum
        data_pedido data_venda data_emissao data_sprzedazy data_zamowienia
        order_reference_order_date creation_date doc_date posted_date bill_date date_ordered
        order_creation_date date_created angelegt_am
        kalenderwoche kw woche monat semaine mois semana mes period periode year_month yearmonth
        week_start week_commencing week_ending week_of month_start calmonth calweek sales_month
        """,
    "order": """
        order order_id order_no order_number invoice invoice_no invoice_number invoiceno
        transaction_id receipt receipt_no sales_order auftrag auftragsnummer bestellnummer
        rechnungsnummer commande pedido amazon_order_id document_number sales_document vbeln ebeln
        auftragsnr bestellnr rechnungsnr belegnummer belegnr
        no_commande numero_commande no_facture numero_facture
        numero_pedido n_pedido factura numero_factura ordine numero_ordine numero_documento
        ordernummer ordernr bestelling bestelnummer factuurnummer
        numero_do_pedido nota_fiscal zamowienie nr_zamowienia numer_zamowienia nr_faktury
        order_reference verkaufsbeleg sales_doc sales_order_no materialbeleg
        """,
    "line": """
        line line_no line_number line_id order_line_id order_line row_id position pos
        order_item_id zeile sales_document_item posnr ebelp positionsnummer positionsnr ligne linea
        riga regel
        orderregel linha pozycja
        """,
    "unit_price": """
        unit_price price sales_price selling_price list_price msrp sell_price standard_price preis
        verkaufspreis prix prix_unitaire precio variant_price lineitem_price your_price item_price
        net_price netpr einzelpreis stueckpreis vk_preis nettopreis listenpreis
        prix_ht prix_ttc prix_vente prix_unitaire_ht prix_vente_ht
        precio_unitario precio_venta prezzo prezzo_unitario prezzo_vendita
        prijs stukprijs verkoopprijs preco preco_unitario preco_venda cena cena_jednostkowa
        cena_sprzedazy
        """,
    "amount": """
        amount total line_total revenue sales sales_amount net_amount turnover umsatz betrag
        montant importe net_value netwr gesamtpreis gesamtbetrag nettobetrag gesamt
        montant_ht montant_ttc total_ht chiffre_affaires importe_total importo totale fatturato
        bedrag omzet totaal valor_total wartosc kwota
        gross_sales net_sales ext_price extended_price line_amount subtotal order_lines_subtotal
        line_amount_excl_vat gross_amount nettoumsatz
        amount_items item_total
        """,
    "customer": """
        customer_id customer_no customer_number customer_code client_id kundennummer kundennr
        kunden_nr kunden_id debitor debitorennummer kunnr sold_to_party account_number
        customer_internal_id code_client no_client numero_client codigo_cliente id_cliente
        codice_cliente klantnummer klantnr codigo_do_cliente nr_klienta kod_klienta customer
        client kunde cliente klant klient kontrahent
        auftraggeber sold_to_pt sold_to sell_to_customer_no bill_to_customer_no
        """,
    "on_hand": """
        on_hand stock stock_on_hand qty_on_hand quantity_on_hand units_in_stock
        quantity_in_stock in_stock inventory stock_level stock_qty stock_quantity soh bestand
        lagerbestand existencias variant_inventory_qty location_on_hand inventory_quantity
        inventory_level aktueller_bestand quantite_en_stock quantite_stock stock_physique
        stock_actual giacenza esistenza voorraad op_voorraad actuele_voorraad estoque
        saldo_estoque quantidade_em_estoque stan_magazynowy stan_magazynu on_hand_current
        current_stock current_inventory inventory_on_hand on_hand_qty balance_qty bal_qty actual_qty
        closing_stock closing_qty closing_balance qty_balance
        """,
    "available": """
        available available_qty unrestricted unrestricted_stock unrestricted_use_stock labst
        afn_fulfillable_quantity quantity_available available_quantity verfuegbar
        verfuegbarer_bestand freier_bestand stock_disponible disponibilita frei_verwendbar
        frei_verwendbarer_bestand stock_available qty_available available_not_editable
        available_stock free_stock available_physical
        """,
    "reserved": """
        reserved reserved_qty qty_reserved reserved_quantity quantity_reserved allocated
        allocated_qty qty_allocated quantity_allocated committed qty_committed
        quantity_committed reserved_stock committed_not_editable reserviert reservierte_menge
        reservierter_bestand stock_reserve quantite_reservee reservado cantidad_reservada
        riservato gereserveerd
        """,
    "on_order": """
        on_order units_on_order qty_on_order quantity_on_order incoming open_orders in_transit
        bestellt afn_inbound_shipped_quantity stock_in_transit bestellbestand offene_bestellungen
        en_commande en_transito in_ordine in_bestelling em_pedido w_drodze
        incoming_not_editable incoming_qty open_po_qty qty_on_purchase_order on_purchase_order
        """,
    "location": """
        location_id warehouse_id warehouse_code store_id plant depot lagerort werks lgort
        storage_location fulfillment_center_id lagernummer lagernr lager_nr lager_id lagerort_nr
        standort filialnummer filialnr werk magasin code_depot code_magasin bodega tienda
        codigo_almacen deposito codice_magazzino filiaal loja codigo_deposito kod_magazynu sklep
        location warehouse site store lager filiale entrepot almacen magazzino magazijn armazem
        magazyn location_code
        """,
    "as_of": """
        as_of snapshot_date stock_date counted_at count_date stichtag bestandsdatum inventurdatum
        date_inventaire fecha_inventario data_inventario peildatum data_stanu
        """,
    "name": """
        name product_name item_name title bezeichnung nom nombre company_name supplier_name
        customer_name warehouse_name contact_name company full_name display_name vendor_name
        location_name store_name site_name name1 lineitem_name
        artikelname artikelbezeichnung produktname kundenname lieferantenname lagername firma
        firmenname filialname raison_sociale nom_client nom_fournisseur nom_produit libelle
        razon_social nombre_cliente nombre_proveedor nombre_producto
        nome ragione_sociale naam klantnaam bedrijfsnaam productnaam razao_social nazwa
        nazwa_towaru nazwa_klienta nazwa_firmy
        materialkurztext order_lines_description
        """,
    "description": """
        description item_description product_description beschreibung material_description maktx
        artikelbeschreibung designation libelle_article descripcion descrizione omschrijving
        descricao opis
        """,
    "category": """
        category category_id category_name product_category product_group department family
        kategorie warengruppe categorie categoria material_group matkl product_type artikelgruppe
        famille familia famiglia productgroep kategoria grupa_towarowa
        """,
    "supplier": """
        supplier_id supplier_code supplier_no supplier_number vendor_id vendor_no vendor_code
        lieferantennummer lieferantennr lieferanten_nr lieferanten_id kreditor kreditorennummer
        lifnr code_fournisseur no_fournisseur codigo_proveedor id_proveedor codice_fornitore
        leveranciersnummer codigo_fornecedor kod_dostawcy supplier vendor lieferant fournisseur
        proveedor fornitore leverancier fornecedor dostawca
        """,
    "unit_cost": """
        unit_cost cost cost_price purchase_price standard_cost einkaufspreis prix_achat costo
        cost_per_item average_cost stprs verpr ek_preis einstandspreis prix_achat_ht cout
        purchase_rate buying_price purchase_cost last_cost avg_cost
        coste precio_compra prezzo_acquisto inkoopprijs custo preco_custo koszt cena_zakupu
        """,
    "lead_time_days": """
        lead_time_days lead_time leadtime lead_days delivery_days lieferzeit lieferzeit_tage delai
        plazo planned_delivery_time plifz wiederbeschaffungszeit delai_livraison plazo_entrega
        tempo_di_consegna levertijd prazo_entrega czas_dostawy
        planlieferzeit lieferzeit_in_tagen supplier_lead_time vendor_lead_time
        lead_time_in_days replenishment_lead_time purchase_lead_time purchasing_lead_time
        average_lead_time
        """,
    "lead_time_weeks": """
        lead_time_weeks lead_time_in_weeks lead_time_wks lead_weeks lieferzeit_wochen
        lieferzeit_in_wochen delai_semaines plazo_semanas
        """,
    "lead_time_sd_days": """
        lead_time_sd_days lead_time_sd lead_time_std lead_time_stddev lead_time_deviation
        lead_time_variation
        """,
    "review_days": """
        review_days review_period review_period_days order_cycle_days order_interval_days
        """,
    "order_cost": "order_cost ordering_cost cost_per_order bestellkosten",
    "holding_rate": "holding_rate holding_cost_rate carrying_rate carrying_cost_rate",
    "fill_rate": "target_fill_rate service_level target_service_level fill_rate",
    "min_order_qty": """
        min_order_qty moq min_order minimum_order_quantity min_order_quantity mindestbestellmenge
        bstmi mindestlosgroesse minimum_order min_order_quantity min_qty moq_units
        """,
    "pack_size": """
        pack_size case_size case_pack pack order_multiple reorder_multiple lot_size packungsgroesse
        verpackungseinheit ve units_per_case case_qty case_quantity pack_qty units_per_pack
        carton_qty units_per_carton rundungswert gebindegroesse
        """,
    "reorder_level": """
        reorder_level reorder_point min_stock minimum_stock meldebestand minbe mindestbestand
        stock_minimum stock_minimo scorta_minima minimumvoorraad estoque_minimo stan_minimalny
        """,
    "shipment": """
        shipment shipment_id shipment_no tracking tracking_number delivery_id consignment
        lieferung delivery_number lieferscheinnummer lieferscheinnr sendungsnummer
        """,
    "ship_date": "ship_date shipped_date shipped_at dispatch_date versanddatum",
    "received_date": """
        received_date received_at delivery_date arrival_date eta required_date lieferdatum
        wareneingangsdatum
        """,
    "carrier": "carrier shipper ship_via spediteur transporteur transportista vettore",
    "country": "country land land1 pays pais country_region country_code paese kraj",
    "status": """
        order_status line_status sale_status sales_status invoice_status transaction_status
        item_status status financial_status payment_status fulfillment_status fulfilment_status
        delivery_status shipping_status auftragsstatus bestellstatus rechnungsstatus
        lieferstatus zahlungsstatus statut statut_commande statut_facture estatus estado_pedido
        estado_del_pedido estado_venta etat_commande order_state state zustand etat estado stato
        """,
    "document": """
        movement_type bewegungsart bwart mvt mvmt_type mov_type bwa entry_type transaction_type
        document_type doc_type line_type sale_type event_type record_type belegart vorgangsart
        buchungsart type_document type_de_document tipo_documento type typ tipo
        """,
    "cancelled": """
        cancelled canceled is_cancelled is_canceled cancelled_at canceled_at cancelled_on voided
        is_void is_voided storniert ist_storniert storno annule annulee est_annule cancelado
        cancelada anulado anulada esta_cancelado
        """,
    "discontinued": """
        discontinued is_discontinued discontinued_at discontinued_on end_of_life eol obsolete
        auslaufartikel ausgelaufen arrete descontinuado
        """,
    "active": "active is_active aktiv ist_aktiv actif activo attivo",
    "first_name": """
        first_name firstname given_name vorname prenom primer_nombre voornaam primeiro_nome imie
        """,
    "last_name": """
        last_name lastname surname family_name nachname apellido apellidos cognome achternaam
        sobrenome nazwisko
        """,
    "email": "email e_mail email_address mail courriel correo correo_electronico",
    "phone": """
        phone phone_number telephone mobile telefon telefonnummer tel telefono telefoon telefone
        """,
    "address": """
        address address1 address_line_1 street street_address strasse stras anschrift adresse rue
        direccion indirizzo adres endereco ulica
        """,
    "city": "city town ort ort01 stadt ville ciudad citta plaats cidade miasto",
    "postcode": """
        postcode postal_code zip zip_code plz pstlz postleitzahl code_postal codigo_postal cap cep
        kod_pocztowy
        """,
}

FIELDS: dict[str, tuple[str, ...]] = {name: tuple(text.split()) for name, text in _TEXT.items()}
"""Standard field → names of columns."""
